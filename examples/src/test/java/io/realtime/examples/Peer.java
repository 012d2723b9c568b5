package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A WebSocket client that is not ours: the JDK's, with the protocol's plain mode by hand. */
final class Peer implements AutoCloseable, WebSocket.Listener {
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final BlockingQueue<JsonObject> frames = new LinkedBlockingQueue<>();
    private final StringBuilder partial = new StringBuilder();
    private final ByteArrayOutputStream partialBinary = new ByteArrayOutputStream();
    private final WebSocket socket;
    private int refs;

    /** Connects and takes the welcome. */
    Peer(String url, String token) throws InterruptedException {
        socket = HTTP.newWebSocketBuilder()
                .buildAsync(URI.create(url + "?token=" + token), this)
                .join();
        next("$welcome");
    }

    @Override
    public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
        partial.append(data);
        if (last) {
            frames.add(JsonParser.parseString(partial.toString()).getAsJsonObject());
            partial.setLength(0);
        }
        from.request(1);
        return null;
    }

    @Override
    public @Nullable CompletionStage<?> onBinary(WebSocket from, ByteBuffer data, boolean last) {
        byte[] part = new byte[data.remaining()];
        data.get(part);
        partialBinary.writeBytes(part);
        if (last) {
            ByteBuffer frame = ByteBuffer.wrap(partialBinary.toByteArray());
            assertEquals(1, frame.get());
            byte[] header = new byte[frame.getShort()];
            frame.get(header);
            byte[] payload = new byte[frame.remaining()];
            frame.get(payload);
            JsonObject envelope = JsonParser.parseString(new String(header, StandardCharsets.UTF_8))
                    .getAsJsonObject();
            envelope.addProperty("hex", HexFormat.of().formatHex(payload));
            frames.add(envelope);
            partialBinary.reset();
        }
        from.request(1);
        return null;
    }

    /** Sends an event of bytes; of one that arrives, {@code hex} is the payload. */
    void sendBinary(String type, String room, byte[] payload) {
        byte[] header = ("{\"type\":\"" + type + "\",\"room\":\"" + room + "\",\"ref\":\"b\"}")
                .getBytes(StandardCharsets.UTF_8);
        ByteBuffer frame = ByteBuffer.allocate(3 + header.length + payload.length)
                .put((byte) 1)
                .putShort((short) header.length)
                .put(header)
                .put(payload)
                .flip();
        socket.sendBinary(frame, true).join();
    }

    /** Sends text as it is. */
    void raw(String text) {
        socket.sendText(text, true).join();
    }

    /** Sends an event, its quotes written as apostrophes. */
    void send(String type, @Nullable String room, String data) {
        String where = room == null ? "" : ",'room':'" + room + "'";
        raw(("{'type':'" + type + "'" + where + ",'data':" + data + "}").replace('\'', '"'));
    }

    /** Sends with a ref and returns the answer: a {@code $reply} or an {@code $error}. */
    JsonObject ask(String type, @Nullable String room, String data) throws InterruptedException {
        String ref = "r" + ++refs;
        String where = room == null ? "" : ",'room':'" + room + "'";
        raw(("{'type':'" + type + "','ref':'" + ref + "'" + where + ",'data':" + data + "}").replace('\'', '"'));
        JsonObject answer = next();
        assertEquals(ref, answer.get("ref").getAsString(), answer::toString);
        return answer;
    }

    /** Asks and returns what was replied. */
    JsonElement reply(String type, @Nullable String room, String data) throws InterruptedException {
        JsonObject answer = ask(type, room, data);
        assertEquals("$reply", answer.get("type").getAsString(), answer::toString);
        return answer.get("data");
    }

    /** Asks and returns the code and message of the error. */
    String error(String type, @Nullable String room, String data) throws InterruptedException {
        return error(ask(type, room, data));
    }

    static String error(JsonObject frame) {
        assertEquals("$error", frame.get("type").getAsString(), frame::toString);
        JsonObject data = frame.getAsJsonObject("data");
        return data.get("code").getAsString() + ": " + data.get("message").getAsString();
    }

    /** Returns the next frame. */
    JsonObject next() throws InterruptedException {
        JsonObject frame = frames.poll(10, TimeUnit.SECONDS);
        return frame == null ? fail("nothing arrived") : frame;
    }

    /** Returns the next frame, which is of this type. */
    JsonObject next(String type) throws InterruptedException {
        JsonObject frame = next();
        assertEquals(type, frame.get("type").getAsString(), frame::toString);
        return frame;
    }

    /** Joins a room. */
    void join(String room) throws InterruptedException {
        reply("$join", room, "{}");
    }

    @Override
    public void close() {
        socket.abort();
    }
}
