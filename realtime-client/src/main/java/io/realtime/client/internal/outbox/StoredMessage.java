package io.realtime.client.internal.outbox;

import io.realtime.internal.wire.Outgoing;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * A message as it is in the file.
 *
 * @param payload bytes if the message is binary, otherwise JSON in UTF-8
 */
public record StoredMessage(
        long seq, long createdMillis, String name, @Nullable String room, boolean isBinary, ByteBuffer payload) {
    Outgoing message() {
        Outgoing message = Outgoing.of(name).room(room);
        return isBinary
                ? message.rawData(payload)
                : message.rawData(
                        StandardCharsets.UTF_8.decode(payload.duplicate()).toString());
    }
}
