package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.client.ClientRoom;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The code of docs/binary.md: it runs here, and stands there to the letter but for what a reader has of their own. */
class BinaryPageTest {
    // @start contract
    interface Board {
        Event<byte[]> STROKES = Event.of("board.strokes", byte[].class);
        Event<ByteBuffer> TILE = Event.of("board.tile", ByteBuffer.class);
        Event<byte[]> POINTER = Event.ephemeral("board.pointer", byte[].class);
    }
    // @end

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);

    @Test
    void strokesAndTilesReachTheCanvas() {
        RealtimeServer.Builder builder = RealtimeServer.builder();
        // @start server
        builder.on(
                Board.STROKES,
                (session, message) -> session.room(message.requireRoom()).send(Board.STROKES, message.data()))
        // @end
        ;
        RealtimeServer server = builder.anonymous()
                .allowJoin((session, room) -> true)
                .port(0)
                .transport(network.serverTransport())
                .scheduler(time)
                .executor(time)
                .build()
                .start();
        RealtimeClient client = RealtimeClient.builder(URI.create("ws://server:" + server.port() + "/ws"))
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time)
                .build();
        Canvas canvas = new Canvas();
        byte[] strokes = {1, 2, 3};
        var joined = client.room("board:7").join();
        // @start client
        ClientRoom board = client.room("board:7");
        var drawn = board.on(Board.STROKES, drawing -> canvas.draw(drawing.data()));
        var placed = board.on(Board.TILE, tile -> canvas.place(tile.data())); // read-only, from its beginning
        var sent = board.send(Board.STROKES, strokes); // kept while offline, like any other event
        // @end
        var connected = client.connect();
        time.advance(Duration.ofSeconds(1));
        assertTrue(joined.isDone() && connected.isDone() && sent.isDone());
        server.connections().room("board:7").send(Board.TILE, ByteBuffer.allocate(4));
        time.advance(Duration.ofSeconds(1));
        assertEquals(List.of("drew 3", "placed 4"), canvas.seen);
        drawn.close();
        placed.close();
        client.close();
        server.close(Duration.ZERO);
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/binary.md",
                BinaryPageTest.class,
                List.of("contract", "server", "client"),
                code -> code.replaceAll("var(drawn|placed|sent)=", "")
                        .replace("drawing", "strokes")
                        .replaceAll("^builder\\.", "RealtimeServer.builder()."));
    }

    private static final class Canvas {
        final List<String> seen = new ArrayList<>();

        void draw(byte[] strokes) {
            seen.add("drew " + strokes.length);
        }

        void place(ByteBuffer tile) {
            seen.add("placed " + tile.remaining());
        }
    }
}
