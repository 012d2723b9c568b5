package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class MockWriterTest {
    @Test
    void scriptIsAboutTheTopicAndComesWordByWord() throws InterruptedException {
        List<String> pieces = new ArrayList<>();

        new MockWriter(Duration.ZERO).write(" 100 %s tea ", pieces::add);

        String script = String.join("", pieces);
        assertTrue(script.contains("what is it about 100 %s tea?"), script);
        assertEquals(script.split("\\s+").length, pieces.size());
        assertTrue(pieces.size() > 150, script);
    }

    @Test
    void readerThatThrowsEndsItWithThat() {
        RuntimeException enough = new RuntimeException("enough");
        List<String> pieces = new ArrayList<>();

        assertSame(
                enough,
                assertThrows(
                        RuntimeException.class,
                        () -> new MockWriter(Duration.ZERO).write("tea", piece -> {
                            pieces.add(piece);
                            throw enough;
                        })));

        assertEquals(List.of("Cold "), pieces);
    }

    @Test
    void itWaitsBeforeEachWordAndAnInterruptEndsTheWait() throws Exception {
        CompletableFuture<Throwable> ended = new CompletableFuture<>();
        List<String> pieces = new ArrayList<>();
        Thread writer = new Thread(() -> {
            try {
                new MockWriter(Duration.ofDays(1)).write("tea", pieces::add);
            } catch (InterruptedException interrupted) {
                ended.complete(interrupted);
            }
        });
        writer.start();
        writer.interrupt();

        assertInstanceOf(InterruptedException.class, ended.get());
        assertEquals(List.of(), pieces);
    }
}
