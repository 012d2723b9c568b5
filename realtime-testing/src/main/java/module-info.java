/** Manual time, an in-memory network and contract tests: what Realtime tests itself with. */
module io.realtime.testing {
    requires transitive io.realtime.core;
    requires com.google.gson;
    requires static com.google.errorprone.annotations;
    requires static transitive org.jspecify;
    requires static transitive org.junit.jupiter.api; // for the contract tests, whose users have it

    exports io.realtime.testing;
}
