package io.realtime.benchmarks.cuts;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** That the comparison counts what it says; its figures are for {@code benchmarks/run.sh cuts}. */
class CutsTest {
    @Test
    void lostDoubledAndLateMessagesAreCounted() {
        assertEquals(new Cuts.Result(2, 1, 1), Cuts.count(List.of(1, 4, 3, 3, 6), 6));
        assertEquals(new Cuts.Result(0, 0, 0), Cuts.count(List.of(1, 2, 3), 3));
    }

    @Test
    @Timeout(60)
    void chatOnThisLibraryRunsThroughCuts() throws Exception {
        Cuts cuts = new Cuts(System.out, 2, Duration.ofSeconds(1), Duration.ofSeconds(4));
        assertEquals(new Cuts.Result(0, 0, 0), cuts.realtime());
    }
}
