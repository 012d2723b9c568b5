package io.realtime.examples.simulation;

import static org.junit.jupiter.api.Assertions.assertIterableEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * The promises of {@code docs/delivery.md}, under every fault that the simulated network knows. Each seed is another
 * history.
 *
 * <pre>
 * mvn verify -Dtest=SimulationTest -Dsurefire.failIfNoSpecifiedTests=false -Dsim.seeds=1000000
 * mvn verify -Dtest=SimulationTest -Dsurefire.failIfNoSpecifiedTests=false -Dsim.seed=17    (that one, with its trace)
 * </pre>
 */
@Isolated("changes the level of the log")
class SimulationTest {
    private static final Logger LOG = Logger.getLogger("io.realtime"); // rules and executors fail thousands of times

    @BeforeAll
    static void silence() {
        LOG.setLevel(Level.OFF);
    }

    @AfterAll
    static void speak() {
        LOG.setLevel(null);
    }

    private static final long SEEDS = Long.getLong("sim.seeds", 300);
    private static final long FIRST = Long.getLong("sim.first", 0);
    private static final int SHOWN = 5;
    private static final int RUN_TWICE = 25; // of the seeds

    @Test
    void everyPromiseIsKeptInEveryHistory() throws Exception {
        ConcurrentSkipListMap<Long, Throwable> broken = new ConcurrentSkipListMap<>();
        AtomicLong next = new AtomicLong(FIRST);
        AtomicLong events = new AtomicLong();
        int threads = Runtime.getRuntime().availableProcessors();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<?>> workers = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            workers.add(pool.submit(() -> {
                for (long seed = next.getAndIncrement(); seed < FIRST + SEEDS; seed = next.getAndIncrement()) {
                    Simulation simulation = new Simulation(seed, null);
                    try {
                        simulation.run();
                    } catch (Throwable failure) { // of this seed; the others are of interest too
                        broken.put(seed, failure);
                    }
                    events.addAndGet(simulation.history.events());
                }
            }));
        }
        for (Future<?> worker : workers) {
            worker.get();
        }
        pool.shutdown();
        System.out.printf("%d seeds, %d events checked, %d seeds failed%n", SEEDS, events.get(), broken.size());
        if (!broken.isEmpty()) {
            StringBuilder report = new StringBuilder(broken.size() + " of " + SEEDS + " seeds failed; replay one with"
                    + " -Dsim.seed=" + broken.firstKey());
            broken.entrySet().stream()
                    .limit(SHOWN)
                    .forEach(entry -> report.append("\nseed ")
                            .append(entry.getKey())
                            .append(": ")
                            .append(entry.getValue()));
            fail(report.toString(), broken.firstEntry().getValue());
        }
    }

    @Test
    @EnabledIfSystemProperty(named = "sim.seed", matches = "\\d+")
    void oneHistoryIsReplayedWithItsTrace() throws Exception {
        new Simulation(Long.getLong("sim.seed"), System.out::println).run();
    }

    @Test
    void historyIsTheSameEachTimeItIsRun() throws Exception {
        for (long seed = FIRST; seed < FIRST + Math.min(SEEDS, RUN_TWICE); seed++) {
            List<String> first = new ArrayList<>();
            List<String> second = new ArrayList<>();
            new Simulation(seed, first::add).run();
            new Simulation(seed, second::add).run();
            assertIterableEquals(first, second, "seed " + seed);
        }
    }
}
