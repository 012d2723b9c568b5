package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The console against the playground. */
class ConsoleIT {
    private static final String SECRET = "a secret of more than thirty-two bytes";

    private final DemoServer tokens = DemoServer.withSecret(SECRET);
    private Run playground;
    private String url;

    @BeforeEach
    void start() {
        playground = new Run("playground", "--secret", SECRET);
        url = playground.shown("socket (\\S+)");
    }

    @AfterEach
    void stop() {
        playground.close();
    }

    @Test
    void twoTalkAndLeave() throws IOException, InterruptedException {
        try (Run ada = console("ada", "chat:lobby");
                Run bob = console("bob", "chat:lobby")) {
            ada.shown("-- in chat:lobby, \\d here");
            bob.shown("-- in chat:lobby, \\d here");

            ada.type("hello");
            bob.shown("ada: hello");
            bob.type("");
            bob.type("hello yourself");
            ada.shown("bob: hello yourself");

            ada.type("/quit");
            bob.endInput();
            assertEquals(0, ada.code());
            assertEquals(0, bob.code());
            assertEquals("", ada.err() + bob.err());
        }
    }

    @Test
    void linesBeforeTheConnectionAreSentBeforeItLeaves() throws IOException, InterruptedException {
        try (Run ada = console("ada", "chat:lobby")) {
            ada.type("one");
            ada.type("two");
            ada.endInput();

            assertEquals(0, ada.code());
        }
        try (Peer reader = new Peer(url, tokens.token("reader"))) {
            String history = reader.reply("$history", "chat:lobby", "{}").toString();
            assertTrue(
                    history.indexOf("\"one\"") > 0 && history.indexOf("\"one\"") < history.indexOf("\"two\""), history);
        }
    }

    @Test
    void serverThatRestartsIsShownAndWaitedFor() throws IOException, InterruptedException {
        try (Run ada = console("ada", "chat:lobby")) {
            ada.shown("-- in chat:lobby, 1 here");
            playground.close();
            ada.shown("-- offline .*trying again in \\d+ ms");
            ada.type("kept");
            String port = Integer.toString(URI.create(url).getPort());
            playground = new Run("playground", "--secret", SECRET, "--port", port);

            ada.shown("ada: kept");
            ada.endInput();
            assertEquals(0, ada.code());
        }
    }

    @Test
    void roomThatIsNotAllowedEndsIt() throws InterruptedException {
        try (Run ada = console("ada", "private")) {
            assertEquals(1, ada.code());
            assertEquals(
                    "console: cannot join private: joining is not allowed (forbidden)",
                    ada.err().strip());
        }
    }

    @Test
    void tokenThatIsRefusedEndsIt() throws InterruptedException {
        try (Run ada = new Run("console", url, "--token", "not-a-token")) {
            assertEquals(1, ada.code());
            assertEquals(1, ada.err().lines().count(), ada.err());
            assertTrue(!(ada.out() + ada.err()).contains("not-a-token"));
        }
    }

    private Run console(String user, String room) {
        return new Run("console", url, "--token", tokens.token(user), "--room", room);
    }
}
