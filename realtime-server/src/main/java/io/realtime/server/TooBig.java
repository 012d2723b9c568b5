package io.realtime.server;

import io.realtime.ErrorCode;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Frames;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.Frame;
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
    static @Nullable Frame instead(Frame frame, Session session, int messageBytes) {
        Envelope message = frame.isText()
                ? Envelope.parseFromServer(frame.asText())
                : BinaryEnvelope.parseFromServer(frame.payload());
        boolean isReply = message.type().equals(Frames.REPLY);
        String room = message.room();
        if (isReply) { // the question alone has failed
            String why = "the reply has " + frame.length() + " bytes, the client takes " + messageBytes;
            Outgoing error = Outgoing.of(Frames.ERROR)
                    .ref(message.ref())
                    .room(room)
                    .data(ErrorData.of(ErrorCode.TOO_BIG, why, false), ErrorData.class);
            return message.offset() == 0 ? error.frame() : error.frame(message.offset());
        }
        if (message.isProtocol() && message.offset() == 0) {
            return frame;
        }
        RoomState log = room == null || message.offset() == 0 ? null : session.find(room);
        if (log == null) {
            return null;
        }
        if (Names.SESSION.equals(room)) {
            session.inboxLost();
        }
        return Outgoing.of(Frames.GAP)
                .room(room)
                .data(new Frames.Gap(log.epoch, message.offset(), "too_big"), Frames.Gap.class)
                .frame();
    }
}
