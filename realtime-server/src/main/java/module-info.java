/** The embeddable server of Realtime. */
module io.realtime.server {
    requires transitive io.realtime.core;
    requires static transitive org.jspecify;
    requires static transitive com.google.errorprone.annotations;
    requires static com.auth0.jwt; // for JwtAuthenticator, whose users require it themselves
    requires static transitive jdk.httpserver; // for AdminServer, whose users require it themselves
    requires com.google.gson;
    requires org.java_websocket;
    requires org.slf4j;

    exports io.realtime.server;
    exports io.realtime.server.admin;
    exports io.realtime.server.websocket to
            io.realtime.netty;

    uses io.realtime.spi.ServerTransport.Provider;
}
