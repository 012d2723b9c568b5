package io.realtime.server.internal.connection;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.room.RoomChannel;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The replacement for a message that is longer than the size that the client announced in {@code $hello}. The message
 * itself would end the connection, and again after each replay.
 */
final class TooBig {
    /** The size that every client accepts: enough for the protocol's own frames. */
    static final int LEAST = 1024;

    private TooBig() {}

    /** Returns a batch in which an error replaces each message that is longer than the client accepts. */
    static MessageBatch replaceIn(MessageBatch batch, ServerSession session, int messageBytes) {
        List<WireMessage> frames = new ArrayList<>();
        for (WireMessage frame : batch.frames()) {
            WireMessage fitting = frame.length() <= messageBytes ? frame : instead(frame, session, messageBytes);
            if (fitting != null) {
                frames.add(fitting);
            }
        }
        return MessageBatch.of(frames, batch.isEphemeral());
    }

    /** Returns a frame that says what is missing. Returns null for a message that is in no log and answers nothing. */
    private static @Nullable WireMessage instead(WireMessage frame, ServerSession session, int messageBytes) {
        Envelope message = frame.isText()
                ? Envelope.parseFromServer(frame.asText())
                : BinaryEnvelope.parseFromServer(frame.payload());
        String room = message.room();
        String why = "it has " + frame.length() + " bytes, the client takes " + messageBytes;
        switch (message.type()) {
            case Protocol.REPLY, Protocol.ERROR -> {
                // Only this request has failed.
                return error(message, why);
            }
            case Protocol.NEXT -> {
                // Only this stream has ended.
                session.calls().cancel(Objects.requireNonNull(message.ref()));
                return error(message, why);
            }
            default -> {}
        }
        if (message.offset() == 0 && message.isProtocol()) {
            return frame;
        }
        RoomChannel log = room == null || message.offset() == 0
                ? null
                : session.memberships().find(room);
        if (log == null) {
            return null;
        }
        if (message.ref() != null && Names.SESSION.equals(room)) {
            // A request to the client.
            session.calls()
                    .fail(message.ref(), new RealtimeException(ErrorCode.TOO_BIG, "the request is too big: " + why));
        }
        return Outgoing.of(Protocol.GAP)
                .room(room)
                .data(new Protocol.GapNotice(log.epoch, message.offset(), "too_big"), Protocol.GapNotice.class)
                .frame();
    }

    /**
     * Returns an error that is short enough, in place of an answer that is not. An error keeps its code, but not its
     * text.
     */
    private static WireMessage error(Envelope message, String why) {
        String code = message.type().equals(Protocol.ERROR) ? message.error().code() : ErrorCode.TOO_BIG.value();
        Outgoing error = Outgoing.of(Protocol.ERROR)
                .ref(message.ref())
                .seq(message.seq())
                .room(message.room())
                .data(new ErrorData(code, "the answer is too big: " + why, false, null, null), ErrorData.class);
        return message.offset() == 0 ? error.frame() : error.frame(message.offset());
    }
}
