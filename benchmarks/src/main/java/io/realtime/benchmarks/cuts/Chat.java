package io.realtime.benchmarks.cuts;

import io.realtime.Event;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.time.Duration;

/**
 * The chat of {@link Cuts} on this library: a server, or two members. {@code peers/node} has the same chat on other
 * libraries.
 */
public final class Chat {
    private static final Event<String> SAY = Event.of("chat.say", String.class);
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    private static final String ROOM = "chat";

    private Chat() {}

    /**
     * Runs a server or two members. Without arguments it is a server that prints its port. With a port, a count and the
     * milliseconds between two messages, it is a member that speaks and one that listens. They print {@code READY},
     * each message that is heard, and {@code SENT}. Ends with the input.
     *
     * @throws Exception if it cannot run
     */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            serve();
        } else {
            talk(arguments[0], Integer.parseInt(arguments[1]), Long.parseLong(arguments[2]));
        }
    }

    private static void serve() throws IOException {
        RealtimeServer server = RealtimeServer.builder()
                .port(0)
                .anonymous()
                .allowJoin((session, room) -> room.equals(ROOM))
                .on(
                        SAY,
                        (session, message) ->
                                session.room(message.requireRoom()).send(SAID, message.data()))
                .build()
                .start();
        System.out.println("PORT " + server.port());
        System.in.transferTo(OutputStream.nullOutputStream());
        server.close(Duration.ZERO);
    }

    private static void talk(String port, int count, long everyMillis) throws IOException, InterruptedException {
        URI uri = URI.create("ws://127.0.0.1:" + port + "/ws");
        try (RealtimeClient listener = RealtimeClient.builder(uri).build();
                RealtimeClient speaker = RealtimeClient.builder(uri).build()) {
            var unused = listener.on(SAID, said -> System.out.println(said.data()));
            for (RealtimeClient member : new RealtimeClient[] {listener, speaker}) {
                member.connect().join();
                member.room(ROOM).join().join();
            }
            System.out.println("READY");
            for (int n = 1; n <= count; n++) {
                var unusedFate = speaker.room(ROOM).send(SAY, String.valueOf(n));
                Thread.sleep(everyMillis);
            }
            System.out.println("SENT");
            System.in.transferTo(OutputStream.nullOutputStream());
        }
    }
}
