package io.realtime.client.internal.connection;

import com.google.gson.JsonElement;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Inbound;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes each frame of the server to the part of the client that handles it, once and in order. Owned by the scheduler's
 * thread.
 */
final class FrameRouter {
    private static final Logger LOG = LoggerFactory.getLogger(FrameRouter.class);
    private static final Duration BAD_FRAMES_WITHIN = Duration.ofMinutes(1);
    private static final int BAD_FRAMES = 10;

    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final EngineThread thread;
    private final ClientSession session;
    private final Reconnection reconnection;

    FrameRouter(
            Scheduler scheduler,
            CallbackDispatcher callbacks,
            EngineThread thread,
            ClientSession session,
            Reconnection reconnection) {
        this.scheduler = scheduler;
        this.callbacks = callbacks;
        this.thread = thread;
        this.session = session;
        this.reconnection = reconnection;
    }

    void onFrame(ServerConnection from, Envelope frame) {
        boolean delivered = false;
        long mark = callbacks.mark();
        try {
            if (reconnection.isCurrent(from)) {
                // Only the last frame before a close explains the close.
                from.lastError = null;
                delivered = take(from, frame);
            }
        } catch (RuntimeException nonsense) {
            // Input of a peer must not stop the client.
            onBadFrame(
                    from,
                    nonsense instanceof RealtimeException known
                            ? known
                            : nonsense("a '" + frame.type() + "' that cannot be read"));
        } catch (Error failure) {
            // For example, no memory.
            Steps.log(LOG, "a frame could not be taken; the connection ends", failure);
            reconnection.lose(from, new CloseReason(CloseReason.INTERNAL_ERROR, "the client failed to take a frame"));
        } finally {
            if (!delivered) {
                callbacks.doneSince(mark, frame.length());
            }
        }
    }

    void onBadFrame(ServerConnection from, RealtimeException nonsense) {
        if (!reconnection.isCurrent(from)) {
            return;
        }
        callbacks.error(nonsense);
        long now = scheduler.nanoTime();
        if (from.badFrames == 0 || now - from.badFramesSince > BAD_FRAMES_WITHIN.toNanos()) {
            from.badFrames = 0;
            from.badFramesSince = now;
        }
        if (++from.badFrames >= BAD_FRAMES) {
            CloseReason reason = new CloseReason(CloseReason.PROTOCOL_ERROR, "the peer does not speak the protocol");
            reconnection.lose(from, reason);
        }
    }

    static RealtimeException nonsense(String what) {
        return new RealtimeException(ErrorCode.BAD_MESSAGE, "the server sent " + what);
    }

    /** Handles a frame. Returns true if it went to the handlers of an event; then its memory is released after them. */
    private boolean take(ServerConnection from, Envelope frame) {
        if (!from.isWelcomed()) {
            takeBeforeWelcome(from, frame);
            return false;
        }
        if (!session.rooms.isNew(frame)) {
            return false;
        }
        boolean delivered = isDelivered(frame);
        try {
            if (delivered) {
                deliver(frame);
            } else if (!frame.isProtocol()) {
                session.calls.incoming().request(frame);
            } else {
                takeProtocol(from, frame);
            }
        } catch (RuntimeException nonsense) {
            // The frame would fail again the next time.
            session.rooms.passed(frame);
            throw nonsense;
        }
        // Not after an Error: then the frame must be sent again.
        session.rooms.passed(frame);
        if (Names.SESSION.equals(frame.room())) {
            // An answer, like any other frame of the session's inbox.
            session.sender.settle();
            session.calls.settle(session.answersRead());
            session.calls.arrived(frame.offset(), frame.length());
        }
        return delivered;
    }

    /**
     * Returns whether a frame takes its turn among the handlers' messages. A deletion does: it comes after the message
     * that it is about, also during a reload.
     */
    private boolean isDelivered(Envelope frame) {
        if (!frame.type().equals(Protocol.DELETED)) {
            return !frame.isProtocol() && frame.ref() == null;
        }
        return session.rooms.epoch(frame.room()) != null;
    }

    private void deliver(Envelope frame) {
        String epoch = session.rooms.epoch(frame.room());
        boolean inInbox = Names.USER.equals(frame.room()) && frame.offset() > 0;
        int era = session.era();
        callbacks.deliver(new Inbound(frame, epoch, scheduler.currentTimeMillis()), isHandled -> {
            callbacks.done(frame.length());
            if (inInbox) {
                // The user's inbox has no reload hook that could hold the message.
                thread.post(() -> session.handled(era, epoch, frame.offset(), isHandled));
            }
        });
    }

    private void takeBeforeWelcome(ServerConnection from, Envelope frame) {
        switch (frame.type()) {
            case Protocol.WELCOME -> {
                try {
                    reconnection.onWelcome(from, frame.data(Protocol.Welcome.class), frame.ts());
                } catch (RuntimeException unfit) {
                    // Without a welcome there is no session.
                    callbacks.error(unfit);
                    CloseReason reason = new CloseReason(CloseReason.PROTOCOL_ERROR, "a welcome that makes no sense");
                    reconnection.lose(from, reason);
                }
            }
            case Protocol.ERROR -> takeError(from, frame);
            case Protocol.GOODBYE -> takeGoodbye(from, frame);
            case Protocol.PING -> pong(from, frame);
            default -> throw nonsense("'" + frame.type() + "' before its welcome");
        }
    }

    private void takeProtocol(ServerConnection from, Envelope frame) {
        switch (frame.type()) {
            case Protocol.ACK -> {
                Protocol.Ack ack = frame.data(Protocol.Ack.class);
                session.sender.acknowledged(ack.seq(), ack.answers());
            }
            case Protocol.REPLY -> {
                try {
                    if (!session.rooms.reply(frame) && !session.calls.outgoing().reply(frame)) {
                        session.history.reply(frame);
                    }
                } finally {
                    // Messages wait for open requests, whatever the answer is.
                    session.sender.pump();
                }
            }
            case Protocol.NEXT -> session.calls.outgoing().item(frame);
            case Protocol.END -> session.calls.outgoing().end(frame);
            case Protocol.CREDIT -> session.calls.incoming().credit(frame);
            case Protocol.CANCEL -> session.calls.incoming().cancelled(frame);
            case Protocol.ERROR -> takeError(from, frame);
            case Protocol.JOINED -> {
                session.rooms.put(requireRoom(frame), frame.data(Protocol.RoomPosition.class));
                // Messages may have waited for this room.
                session.sender.pump();
            }
            case Protocol.LEFT -> {
                session.rooms.taken(requireRoom(frame), whyRemoved(frame));
                session.sender.pump();
            }
            case Protocol.PRESENCE ->
                session.rooms.presence(requireRoom(frame), frame.data(Protocol.PresenceNotice.class));
            case Protocol.GAP -> takeGap(frame);
            case Protocol.GOODBYE -> takeGoodbye(from, frame);
            case Protocol.PING -> pong(from, frame);
            case Protocol.WELCOME -> throw nonsense("a second welcome");
            // A frame of a later protocol version.
            default -> LOG.debug("ignored '{}'", frame.type());
        }
    }

    private static String requireRoom(Envelope frame) {
        String room = frame.room();
        if (room == null) {
            throw nonsense("'" + frame.type() + "' without a room");
        }
        return room;
    }

    private static @Nullable String whyRemoved(Envelope frame) {
        if (!frame.hasData()) {
            return null;
        }
        Protocol.LeaveReply left = frame.data(Protocol.LeaveReply.class);
        return left.reason();
    }

    private void takeGap(Envelope frame) {
        Protocol.GapNotice gap = frame.data(Protocol.GapNotice.class);
        session.rooms.gap(requireRoom(frame), gap);
        if (Names.SESSION.equals(frame.room()) && ErrorCode.TOO_BIG.value().equals(gap.reason())) {
            // Only this one message is missing, and it was not an answer.
            session.calls.arrived(gap.offset(), frame.length());
        } else if (Names.SESSION.equals(frame.room())) {
            session.calls.answersLost(session.sender.lastSeq(), session.answersRead());
        }
    }

    private void takeError(ServerConnection from, Envelope frame) {
        ErrorData error = frame.error();
        RemoteException failure = error.exception();
        if (frame.ref() != null) {
            if (!session.rooms.error(frame, failure)
                    && !session.calls.outgoing().error(frame, failure)) {
                session.history.error(frame, failure);
            }
            session.sender.pump();
            return;
        }
        if (frame.seq() == 0) {
            callbacks.error(failure);
            // A close may follow, and this explains it.
            from.lastError = error;
        } else if (session.sender.failed(frame.seq(), failure)) {
            // If false, the client knows the failure already, or gave the message up.
            callbacks.error(failure);
        }
    }

    private static void takeGoodbye(ServerConnection from, Envelope frame) {
        Protocol.Goodbye goodbye = frame.data(Protocol.Goodbye.class);
        from.goodbye = goodbye.retry();
    }

    private static void pong(ServerConnection from, Envelope frame) {
        JsonElement echo = frame.data(JsonElement.class);
        from.send(Outgoing.of(Protocol.PONG).ref(frame.ref()).data(echo, JsonElement.class));
    }
}
