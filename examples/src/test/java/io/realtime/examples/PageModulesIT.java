package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The tests of the pages' own modules, in {@code src/test/js}. */
@Timeout(120)
class PageModulesIT {
    private static final int WITH_TEST_RUNNER = 18;

    @Test
    void pageModulesPassTheirTests() throws Exception {
        Process run = Node.start(
                WITH_TEST_RUNNER,
                "--test",
                "chat.test.mjs",
                "conversation.test.mjs",
                "link.test.mjs",
                "script.test.mjs",
                "session.test.mjs");
        String told = Node.output(run);

        assertEquals(0, run.waitFor(), told);
        assertTrue(told.matches("(?s).*\\bpass [1-9].*"), told);
    }
}
