package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.examples.PageProject.Program;
import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The application of docs/modules.md, file by file as it stands there, compiles and runs on the module path. */
@Timeout(60)
class ModulesPageIT {
    /** What the page calls {@code lib}: an application's dependencies, out of this test's class path. */
    private static final Pattern LIBRARY = Pattern.compile(
            "realtime-(core|server|client|jackson)\\b|/"
                    + "(gson|jspecify|slf4j-api|slf4j-jdk14|Java-WebSocket|java-jwt|jackson-\\w+|error_prone_annotations)-[^/]*$");

    private static final String MODULE_PATH = Arrays.stream(
                    System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(entry -> LIBRARY.matcher(entry).find())
            .collect(Collectors.joining(File.pathSeparator));

    @TempDir
    Path folder;

    private PageProject project;

    @BeforeEach
    void readPage() throws Exception {
        project = new PageProject("docs/modules.md", folder);
        assertEquals(3, project.names().size(), project.names()::toString);
    }

    @AfterEach
    void end() {
        project.close();
    }

    @Test
    void applicationRunsOnTheModulePath() throws Exception {
        project.write();
        project.compile("-p", MODULE_PATH);
        Program program = main();
        program.line("^hello$");
        assertEquals(0, program.end());
    }

    @Test
    void closedPackageIsRefusedWithTheLineThatOpensIt() throws Exception {
        project.write("opens com.example.chat to\n            io.realtime.core;", "");
        project.compile("-p", MODULE_PATH);
        Program program = main();
        program.line(
                "the module-info of com\\.example\\.chat lacks 'opens com\\.example\\.chat to io\\.realtime\\.core;'");
        assertEquals(1, program.end());
    }

    @Test
    void jacksonReadsPayloadsOfAPackageThatIsOpenToIt() throws Exception {
        writeForJackson("com.fasterxml.jackson.databind;");
        Program program = main();
        program.line("^hello$");
        assertEquals(0, program.end());
    }

    @Test
    void packageThatIsClosedToJacksonIsRefusedWithLineThatOpensIt() throws Exception {
        writeForJackson("io.realtime.core;");
        Program program = main();
        program.line("lacks 'opens com\\.example\\.chat to com\\.fasterxml\\.jackson\\.databind;'");
        assertEquals(1, program.end());
    }

    /** Makes of the page's application one with the other codec, whose package is open to a module. */
    private void writeForJackson(String opensTo) throws Exception {
        String codec = ".codec(io.realtime.jackson.JacksonCodec.create())";
        project.write(
                "requires io.realtime.client;",
                "requires io.realtime.client; requires io.realtime.jackson;",
                "io.realtime.core;",
                opensTo,
                ".anonymous()",
                ".anonymous()" + codec,
                ".build()) {",
                codec + ".build()) {");
        project.compile("-p", MODULE_PATH);
    }

    private Program main() throws Exception {
        return project.run(List.of(
                PageProject.JAVA,
                "-XX:TieredStopAtLevel=1",
                "-p",
                MODULE_PATH + File.pathSeparator + project.classes(),
                "-m",
                "com.example.chat/com.example.chat.Main"));
    }
}
