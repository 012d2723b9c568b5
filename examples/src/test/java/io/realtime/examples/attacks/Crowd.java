package io.realtime.examples.attacks;

import static io.realtime.examples.attacks.AttackedServer.SAID;
import static io.realtime.examples.attacks.AttackedServer.SAY;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.Message;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.DroppedMessage;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.attacks.AttackedServer.Note;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * Well-behaved clients in rooms of ten, who talk all the time and note what should not be: a message that is lost, comes
 * twice or out of order, a refusal, and any change of their connections.
 *
 * <p>For one thread; the clients' callbacks run on one of the crowd's own, and so does what they say.
 */
final class Crowd implements AutoCloseable {
    private static final int ROOM = 10;
    private static final int TROUBLE = 20; // more of it tells no more

    private final List<Member> members = new ArrayList<>();
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(Crowd::daemon);
    private final Queue<String> trouble = new ConcurrentLinkedQueue<>();
    private volatile Latencies latencies = new Latencies();
    private int turn; // the clock's

    /** Connects them and has them join their rooms. */
    Crowd(URI server, @Nullable SSLSocketFactory tls, String name, int size) throws Exception {
        for (int number = 0; number < size; number++) {
            members.add(new Member(server, tls, name, number));
        }
        for (Member member : members) {
            member.client.connect().get(30, TimeUnit.SECONDS);
        }
        for (Member member : members) {
            member.client.room(member.room).join().get(30, TimeUnit.SECONDS);
            member.isSettled = true;
        }
    }

    int size() {
        return members.size();
    }

    /** Has each of them talk from now on, so many messages a second, evenly one after the other. */
    @SuppressWarnings("FutureReturnValueIgnored") // a task that fails says no more, which is noticed
    void talk(int perSecond) {
        long period = TimeUnit.SECONDS.toNanos(1) / ((long) perSecond * size());
        clock.scheduleAtFixedRate(() -> members.get(turn++ % size()).say(), 0, period, TimeUnit.NANOSECONDS);
    }

    /** Has each of them say something, and waits until it has. */
    void talkOnce() throws Exception {
        for (Member member : members) {
            clock.submit(member::say).get(10, TimeUnit.SECONDS);
        }
    }

    /** Returns how long deliveries take while something else is done. */
    Latencies during(Deed deed) throws Exception {
        Latencies mine = new Latencies();
        latencies = mine;
        deed.run();
        awaitRounds(0);
        latencies = new Latencies();
        return mine;
    }

    interface Deed {
        void run() throws Exception;
    }

    /** Waits until each has said so much more, and all that was said has reached everyone in the room. */
    void awaitRounds(int rounds) {
        int[] wanted =
                members.stream().mapToInt(member -> member.said.get() + rounds).toArray();
        await("the crowd's messages, " + trouble)
                .atMost(Duration.ofSeconds(60))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> !trouble.isEmpty() || members.stream().allMatch(member -> member.has(wanted)));
        check();
    }

    /** Fails when anything was not as it should be. */
    void check() {
        assertEquals(List.of(), List.copyOf(trouble));
    }

    @Override
    public void close() {
        clock.shutdownNow();
        members.forEach(member -> member.isSettled = false);
        members.forEach(member -> member.client.close());
    }

    private void report(String what) {
        if (trouble.size() < TROUBLE) {
            trouble.add(what);
        }
    }

    private static Thread daemon(Runnable task) {
        Thread thread = new Thread(task, "crowd");
        thread.setDaemon(true);
        return thread;
    }

    private final class Member implements ClientListener {
        final int number;
        final int first; // who is the first in the room
        final String name;
        final String room;
        final RealtimeClient client;
        final AtomicInteger said = new AtomicInteger();
        final AtomicInteger acknowledged = new AtomicInteger();
        final AtomicIntegerArray heard = new AtomicIntegerArray(ROOM); // by place in the room
        volatile boolean isSettled;

        Member(URI server, @Nullable SSLSocketFactory tls, String crowd, int number) {
            this.number = number;
            this.first = number / ROOM * ROOM;
            this.name = crowd + "-" + number;
            this.room = crowd + ":" + number / ROOM;
            RealtimeClient.Builder builder =
                    RealtimeClient.builder(server).token(name).listener(this).callbackExecutor(clock);
            this.client = (tls == null ? builder : builder.tls(tls)).build();
            client.on(SAID, this::hear);
        }

        /** On the clock. */
        void say() {
            Note note = new Note(number, said.getAndIncrement(), System.nanoTime());
            CompletableFuture<Void> fate = client.room(room).send(SAY, note).whenComplete((done, failure) -> {
                acknowledged.incrementAndGet();
                if (failure != null && isSettled) {
                    report(name + ": " + note + " failed: " + failure);
                }
            });
            if (fate.isCancelled()) {
                report(name + ": " + note + " was cancelled");
            }
        }

        private void hear(Message<Note> message) {
            Note note = message.data();
            latencies.add(System.nanoTime() - note.sentAt());
            int place = note.sender() - first;
            int expected = heard.getAndSet(place, note.number() + 1);
            if (note.number() != expected) {
                report(name + ": " + note + " came instead of number " + expected);
            }
        }

        /** Whether all of the room have said so much, and it was heard here, and acknowledged. */
        boolean has(int[] wanted) {
            for (int place = 0; first + place < wanted.length && place < ROOM; place++) {
                if (heard.get(place) < wanted[first + place]) {
                    return false;
                }
            }
            return acknowledged.get() >= wanted[number];
        }

        @Override
        public void onState(ConnectionState state) {
            if (isSettled) {
                report(name + ": " + state);
            }
        }

        @Override
        public void onError(Throwable failure) {
            report(name + " was told " + failure);
        }

        @Override
        public void onDropped(DroppedMessage message) {
            if (isSettled) {
                report(name + " dropped " + message);
            }
        }

        @Override
        public void onGap(Gap gap) {
            report(name + " was told of " + gap);
        }
    }
}
