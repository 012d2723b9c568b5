import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;

public class ChatServer {
    static final String SECRET = "a secret of at least thirty-two bytes"; // yours comes from the environment
    static final Set<String> STAFF = Set.of("ada");

    public static void main(String[] args) throws IOException {
        RealtimeServer.builder()
                .port(8080)
                .authenticator(JwtAuthenticator.hmac256(SECRET))
                .allowJoin((session, room) -> room.equals("chat:lobby")
                        || room.equals("chat:staff") && STAFF.contains(session.user().id()))
                .retention(new Retention(1_000, Duration.ofHours(24))) // what a room keeps
                .on(Chat.SAY, (session, message) -> session.room(message.requireRoom()) // a room it has joined
                        .send(Chat.SAID, message.data()))
                .on(Chat.TYPING, (session, message) -> session.room(message.requireRoom())
                        .except(session.id())
                        .send(Chat.TYPING, message.data()))
                .closeOnShutdown(Duration.ofSeconds(5)) // Ctrl-C: clients hear of it, handlers finish
                .build()
                .start();
        Web.start(8081);
    }
}
