package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** What a server logs of its life: one line for each moment, and none for a message. */
@Isolated("reads the log")
class LifeCycleLogTest extends ChatServerFixture {
    private final Logger logger = Logger.getLogger("io.realtime");
    private final List<String> lines = new ArrayList<>();
    private final Handler recorder = new Handler() {
        @Override
        public synchronized void publish(LogRecord line) {
            lines.add(line.getLevel() + " " + line.getMessage());
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    };

    @BeforeEach
    void listen() {
        logger.setLevel(Level.FINE); // DEBUG
        recorder.setLevel(Level.FINE);
        logger.addHandler(recorder);
    }

    @AfterEach
    void stopListening() {
        logger.removeHandler(recorder);
        logger.setLevel(null);
    }

    private void assertLines(String... patterns) {
        synchronized (recorder) {
            assertEquals(patterns.length, lines.size(), lines.toString());
            for (int i = 0; i < patterns.length; i++) {
                String line = lines.get(i);
                String pattern = patterns[i];
                assertTrue(line.matches(pattern), () -> line + " is not " + pattern);
            }
            lines.clear();
        }
    }

    @Test
    void sessionIsLoggedAtEachMomentOfItsLife() {
        TestPeer ann = test.managed("ann");
        String id = session("ann").id();
        assertLines("INFO .*session=" + id + " user=ann.*session opened");
        ann.cut();
        assertLines("INFO .*session=" + id + " user=ann reason=1006.*session detached");
        test.time.advance(Duration.ofMinutes(6));
        assertLines("INFO .*session=" + id + " user=ann reason=1006.*session closed");
    }

    @Test
    void plainSessionThatEndsIsLoggedOnce() {
        TestPeer ann = test.plain("ann");
        ann.close("done");
        test.settle();
        assertLines("INFO .*session opened", "INFO .*reason=1000 done.*session closed");
    }

    @Test
    void noMessageIsLogged() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        assertLines("INFO .*session opened");
        for (int i = 0; i < 10; i++) {
            ann.send("{'type':'say','room':'chat:1','data':{'text':'hello'}}");
            ann.send("{'type':'echo','ref':'r','data':1}");
            ann.send("{'type':'nothing','ref':'r'}");
        }
        ann.send("{'no':'type'}");
        assertLines();
    }

    @Test
    void refusedConnectionsAreLoggedTenTimesAMinute() {
        for (int i = 0; i < 25; i++) {
            test.connect("", "/other");
        }
        String first = "INFO .*cause=path address=.* suppressed=0.*refused a connection";
        assertLines(first, first, first, first, first, first, first, first, first, first);
        test.time.advance(Duration.ofMinutes(1));
        test.connect("", "/other");
        assertLines("INFO .*suppressed=15.*refused a connection");
    }

    @Test
    void closeIsLoggedAtItsBeginningAndEnd() {
        test.plain("ann");
        lines.clear();
        test.server.close(Duration.ZERO);
        test.settle();
        synchronized (recorder) {
            assertTrue(lines.get(0).matches("INFO .*connections=1 sessions=1.*the server closes"), lines.toString());
            assertTrue(lines.contains("INFO the server is closed"), lines.toString());
        }
    }
}
