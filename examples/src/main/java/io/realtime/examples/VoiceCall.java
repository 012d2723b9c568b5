package io.realtime.examples;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.RealtimeException;
import io.realtime.client.ClientRoom;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.Reception.Report;
import io.realtime.examples.Voice.Frame;
import io.realtime.server.RealtimeServer;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;

/** A call in which one client speaks in a room for a while, and another listens. */
final class VoiceCall {
    private static final int PATIENCE_SECONDS = 10;

    private final VoiceSource source;
    private final Event<ByteBuffer> event;
    private final int frames;
    private final PrintStream out;
    // Reception and shown are used by the listener's callback thread until the call is over.
    private final Reception reception;
    private int shown;

    /** Creates a call of this many seconds. It prints a line about each second as it is heard. */
    VoiceCall(VoiceSource source, Event<ByteBuffer> event, int seconds, PrintStream out) {
        this.source = source;
        this.event = event;
        this.frames = seconds * Voice.FRAMES_PER_SECOND;
        this.out = out;
        this.reception = new Reception(frames);
    }

    /** Makes a server forward what is said in the room to the other members. */
    static RealtimeServer.Builder serve(RealtimeServer.Builder builder, Event<ByteBuffer> event) {
        return builder.allowJoin((session, room) -> room.equals(Voice.ROOM))
                .on(
                        event,
                        (session, message) -> session.room(message.requireRoom())
                                .except(session.id())
                                .send(event, message.data()))
                .on(
                        Voice.OVER,
                        (session, message) -> session.room(message.requireRoom())
                                .except(session.id())
                                .send(Voice.OVER, message.data()));
    }

    /**
     * Connects both clients, and returns what happened to the frames after all were sent.
     *
     * @throws RealtimeException if one cannot join, or the listener is not told of the end within 10 s
     */
    Report hold(RealtimeClient speaker, RealtimeClient listener) throws InterruptedException {
        CompletableFuture<Integer> over = new CompletableFuture<>();
        ClientRoom heard = listener.room(Voice.ROOM);
        heard.on(event, this::hear);
        heard.once(Voice.OVER, end -> over.complete(end.data()));
        await("the listener", listener.connect().thenCompose(open -> heard.join()));
        ClientRoom said = speaker.room(Voice.ROOM);
        await("the speaker", speaker.connect().thenCompose(open -> said.join()));
        speak(said);
        await("the last acknowledgement", said.send(Voice.OVER, frames));
        await("the end", over);
        showUpTo(frames);
        return reception.report(0, frames);
    }

    /**
     * Sends the frames. Each has its own time on the monotonic clock, counted from the first, so a late frame delays no
     * other.
     */
    private void speak(ClientRoom room) throws InterruptedException {
        long start = System.nanoTime();
        for (int i = 0; i < frames; i++) {
            int number = i;
            long due = start + number * Voice.FRAME_NANOS;
            waitUntil(due);
            room.send(event, new Frame(number, due, source.frame(number)).bytes())
                    .exceptionally(failure -> {
                        out.println("frame " + number + " was not sent: " + failure.getMessage());
                        return null;
                    });
        }
    }

    /** Parks until a time. Parking wakes within some microseconds; a sleep rounds to a millisecond. */
    private static void waitUntil(long nanoTime) throws InterruptedException {
        for (long left = nanoTime - System.nanoTime(); left > 0; left = nanoTime - System.nanoTime()) {
            LockSupport.parkNanos(left);
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
        }
    }

    private void hear(Message<ByteBuffer> message) {
        long now = System.nanoTime();
        Frame frame = Frame.of(message.data());
        showUpTo(frame.number());
        reception.take(frame.number(), frame.capturedNanos(), now);
    }

    /** Prints each second that ends before a frame. */
    private void showUpTo(int number) {
        for (int end = shown + Voice.FRAMES_PER_SECOND; end <= number; end += Voice.FRAMES_PER_SECOND) {
            out.println("second " + end / Voice.FRAMES_PER_SECOND + ": " + reception.report(shown, end));
            shown = end;
        }
    }

    private static void await(String what, CompletableFuture<?> future) throws InterruptedException {
        try {
            future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException late) {
            String told = what + " did not come within " + PATIENCE_SECONDS + " s";
            throw new RealtimeException(ErrorCode.TIMEOUT, told, true, late);
        } catch (ExecutionException failed) {
            throw failed.getCause() instanceof RealtimeException known ? known : new IllegalStateException(failed);
        }
    }
}
