package io.realtime.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Fails the run when a buffer was left unreleased: the test class that ends next is the one that fails. JUnit finds it
 * by itself, before anything of Netty is loaded. A buffer that is lost on purpose, after all others of the class, tells
 * that the collector has found them too.
 */
@SuppressWarnings("exports") // of tests
public final class LeakExtension implements AfterAllCallback {
    private static final Queue<String> REPORTS = new ConcurrentLinkedQueue<>();

    static {
        ResourceLeakDetectorFactory.setResourceLeakDetectorFactory(new Reporting());
    }

    /** For JUnit. */
    public LeakExtension() {}

    @Override
    public void afterAll(ExtensionContext context) {
        assertEquals(ResourceLeakDetector.Level.PARANOID, ResourceLeakDetector.getLevel());
        String canary = "canary of " + context.getUniqueId() + ".";
        lose(canary);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (REPORTS.stream().noneMatch(report -> report.contains(canary))) {
            assertTrue(System.nanoTime() < deadline, "a buffer that was lost is reported");
            System.gc();
            PooledByteBufAllocator.DEFAULT.buffer(1).release(); // an allocation reports what was collected before
        }
        List<String> leaks = REPORTS.stream()
                .filter(report -> !report.contains("canary of "))
                .toList();
        REPORTS.removeAll(leaks);
        REPORTS.removeIf(report -> report.contains(canary));
        assertEquals(List.of(), leaks);
    }

    private static void lose(String hint) {
        PooledByteBufAllocator.DEFAULT.buffer(1).touch(hint);
    }

    private static final class Reporting extends ResourceLeakDetectorFactory {
        @Override
        public <T> ResourceLeakDetector<T> newResourceLeakDetector(Class<T> resource, int samplingInterval) {
            return new ResourceLeakDetector<>(resource, samplingInterval) {
                @Override
                protected boolean needReport() {
                    return true;
                }

                @Override
                protected void reportTracedLeak(String type, String records) {
                    REPORTS.add(type + records);
                }

                @Override
                protected void reportUntracedLeak(String type) {
                    REPORTS.add(type);
                }
            };
        }

        @Override
        @SuppressWarnings("deprecation") // and abstract all the same
        public <T> ResourceLeakDetector<T> newResourceLeakDetector(
                Class<T> resource, int samplingInterval, long maxActive) {
            return newResourceLeakDetector(resource, samplingInterval);
        }
    }
}
