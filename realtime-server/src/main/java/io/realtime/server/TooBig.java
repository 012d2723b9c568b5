package io.realtime.server;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.WireMessage;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a client gets in the place of a message that is longer than it said in {@code $hello} that it takes. Sent as it is,
 * the message would end the connection, and again after each replay.
 */
final class TooBig {
    /** What every client takes: the protocol's own frames. */
    static final int LEAST = 1024;

    private TooBig() {}

    /** Returns a frame that says what is missing; null for a message that is in no log and answers nothing. */
    static @Nullable WireMessage instead(WireMessage frame, Session session, int messageBytes) {
        Envelope message = frame.isText()
                ? Envelope.parseFromServer(frame.asText())
                : BinaryEnvelope.parseFromServer(frame.payload());
        String room = message.room();
        String why = "it has " + frame.length() + " bytes, the client takes " + messageBytes;
        switch (message.type()) {
            case Protocol.REPLY, Protocol.ERROR -> { // the question alone has failed
                return error(message, why);
            }
            case Protocol.NEXT -> { // the stream alone is over
                session.calls().cancel(Objects.requireNonNull(message.ref()));
                return error(message, why);
            }
            default -> {}
        }
        if (message.offset() == 0 && message.isProtocol()) {
            return frame;
        }
        RoomChannel log = room == null || message.offset() == 0 ? null : session.find(room);
        if (log == null) {
            return null;
        }
        if (message.ref() != null && Names.SESSION.equals(room)) { // a question to the client
            session.calls()
                    .fail(message.ref(), new RealtimeException(ErrorCode.TOO_BIG, "the question is too big: " + why));
        }
        return Outgoing.of(Protocol.GAP)
                .room(room)
                .data(new Protocol.GapNotice(log.epoch, message.offset(), "too_big"), Protocol.GapNotice.class)
                .frame();
    }

    /** An answer that fits, in the place of one that does not: an error keeps its code, and loses its words. */
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
