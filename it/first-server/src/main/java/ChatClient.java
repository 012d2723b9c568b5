import io.realtime.client.ClientRoom;
import io.realtime.client.RealtimeClient;
import io.realtime.client.TokenProvider;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;

public class ChatClient {
    public static void main(String[] args) throws IOException {
        String user = args[0];
        try (RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:8080/ws"))
                .token(TokenProvider.blocking(() -> login(user))) // a fresh one for every attempt
                .build()) {
            ClientRoom room = client.room(args[1]);
            room.on(Chat.SAID, said -> System.out.println(said.from() + ": " + said.data().text()));
            room.on(Chat.TYPING, typing -> System.out.println(typing.from() + " is typing"));
            room.join(20).whenComplete((joined, refused) -> // with the 20 newest messages
                    System.out.println(refused == null ? "you are in " + args[1] : refused.getMessage()));
            client.connect();
            BufferedReader typed = new BufferedReader(new InputStreamReader(System.in));
            for (String line = typed.readLine(); line != null; line = typed.readLine()) {
                room.send(Chat.SAY, new Chat.Text(line)); // kept while offline, delivered once
            }
        } // delivers what waits, for 5 s at most
    }

    private static String login(String user) {
        try (var body = URI.create("http://localhost:8081/token/" + user).toURL().openStream()) {
            return new String(body.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure); // the client tries again
        }
    }
}
