/** Manual time, an in-memory network and contract tests: what Realtime tests itself with. */
module io.realtime.testing {
    requires transitive io.realtime.core;
    requires com.google.gson;
    requires static transitive org.jspecify;
    requires transitive org.junit.jupiter.api;

    exports io.realtime.testing;
}
