package chat;

import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

@Configuration
class RealtimeConfiguration {
    @Bean(initMethod = "start") // and close() at the end: clients hear of it, handlers finish
    RealtimeServer realtimeServer(
            @Value("${realtime.port}") int port, @Value("${realtime.secret}") String secret, Teams teams) {
        return RealtimeServer.builder()
                .port(port)
                .authenticator(JwtAuthenticator.hmac256(secret))
                .allowJoin((session, room) -> teams.isMember(session.user().id(), room))
                .on(Chat.SAY, (session, message) -> session.room(message.requireRoom())
                        .send(Chat.SAID, message.data()))
                .build();
    }
}
