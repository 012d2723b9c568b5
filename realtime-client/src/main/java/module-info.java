/** The client of Realtime, for the JVM, desktop and Android. */
module io.realtime.client {
    requires transitive io.realtime.core;
    requires static com.google.errorprone.annotations;
    requires static transitive org.jspecify;
    requires com.google.gson;
    requires org.java_websocket;
    requires org.slf4j;

    exports io.realtime.client;
}
