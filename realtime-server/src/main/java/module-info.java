/** The embeddable server of Realtime. */
module io.realtime.server {
    requires transitive io.realtime.core;
    requires static transitive org.jspecify;
    requires com.auth0.jwt;
    requires com.google.gson;
    requires org.java_websocket;
    requires org.slf4j;

    exports io.realtime.server;
}
