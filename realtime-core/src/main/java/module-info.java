/** Contracts, event bus, envelope and SPIs that the server and the client of Realtime share. */
module io.realtime.core {
    requires transitive com.google.gson;
    requires org.slf4j;
    requires static com.google.errorprone.annotations;
    requires static transitive org.jspecify;

    exports io.realtime;
    exports io.realtime.gson;
    exports io.realtime.spi;
    exports io.realtime.internal to
            io.realtime.client,
            io.realtime.netty,
            io.realtime.server,
            io.realtime.testing;
    exports io.realtime.internal.calls to
            io.realtime.client,
            io.realtime.server;
    exports io.realtime.internal.websocket to
            io.realtime.client,
            io.realtime.netty,
            io.realtime.server;
    exports io.realtime.internal.wire to
            io.realtime.client,
            io.realtime.jackson,
            io.realtime.server,
            io.realtime.testing;

    opens io.realtime.internal.wire to
            com.google.gson;
}
