package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** docs/spring-boot.md shows the application that is built and tested with each version of Spring Boot. */
class SpringBootPageTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "java/chat/Chat.java",
                "java/chat/RealtimeConfiguration.java",
                "java/chat/Teams.java",
                "java/chat/MessageController.java",
                "resources/application.properties"
            })
    void pageShowsTheWholeFile(String file) throws IOException {
        String shown = Files.readString(Path.of("../docs/spring-boot.md"));
        String code = Files.readString(Path.of("../it/spring-boot-3/src/main", file));
        assertTrue(shown.contains("\n" + code + "```\n"), file);
    }

    @Test
    void pageShowsTheBeanWithJackson() throws IOException {
        Path code = Path.of("../it/spring-boot-3/src/test/java/orders/OrderConfiguration.java");
        ShownCode.assertStandsIn("docs/spring-boot.md", code, List.of("jackson"), UnaryOperator.identity());
    }
}
