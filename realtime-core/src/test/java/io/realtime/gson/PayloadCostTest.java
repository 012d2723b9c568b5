package io.realtime.gson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.spi.PayloadCodec;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a payload of a hostile peer may cost. */
class PayloadCostTest {
    sealed interface Part permits Node, Leaf {}

    record Node(Part a) implements Part {}

    record Leaf(List<Integer> pad) implements Part {}

    /** Returns nested parts whose types are last. */
    private static String nestedParts(int depth) {
        String json = "{\"pad\":[0" + ",0".repeat(20_000) + "],\"type\":\"Leaf\"}";
        for (int i = 0; i < depth; i++) {
            json = "{\"a\":" + json + ",\"type\":\"Node\"}";
        }
        return json;
    }

    /** Returns how many bytes this thread has allocated; by reflection, since the module does not read jdk.management. */
    private static long allocated() throws ReflectiveOperationException {
        Object threads = Class.forName("java.lang.management.ManagementFactory")
                .getMethod("getThreadMXBean")
                .invoke(null);
        return (long) Class.forName("com.sun.management.ThreadMXBean")
                .getMethod("getCurrentThreadAllocatedBytes")
                .invoke(threads);
    }

    private static long allocated(PayloadCodec.Mapper mapper, String json) throws Exception {
        long before = allocated();
        Object read = mapper.read(json, 0, json.length());
        long bytes = allocated() - before;
        assertEquals(Node.class, read == null ? null : read.getClass());
        return bytes;
    }

    @Test
    void typesThatAreLastCostOneReadingWhateverTheirDepth() throws Exception {
        PayloadCodec.Mapper mapper = GsonCodec.create().mapper(Part.class);
        String shallow = nestedParts(1);
        String deep = nestedParts(26);
        allocated(mapper, deep); // loads the classes
        long one = allocated(mapper, shallow);
        long many = allocated(mapper, deep);
        assertTrue(many < 2 * one, "26 levels allocate " + many + " bytes, one level " + one);
    }
}
