package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A client and its server in virtual time, with the inbox through which calls are answered. */
abstract class ClientCallsFixture {
    static final Request<String, Integer> LENGTH = Request.of("length", String.class, Integer.class);
    static final StreamRequest<String, Integer> COUNT = StreamRequest.of("count", String.class, Integer.class);

    @TempDir
    Path directory;

    final World world = new World();
    long offset;

    @BeforeEach
    final void noAcknowledgementOfItsOwn() {
        world.acks = false;
        world.rooms = inbox("s1", 0);
    }

    @AfterEach
    final void nothingIsLeft() {
        world.close();
    }

    static String inbox(String epoch, long offset) {
        return "{'@session':{'epoch':'" + epoch + "','offset':" + offset + ",'recovered':true}}";
    }

    final CompletableFuture<Integer> ask(String data) {
        CompletableFuture<Integer> result = world.client().request(LENGTH, data);
        world.settle();
        return result;
    }

    final Subscription stream(Heard heard) {
        Subscription open = world.client().stream(COUNT, "all", heard);
        world.settle();
        return open;
    }

    static final class Heard implements StreamListener<Integer> {
        final List<Integer> items = new ArrayList<>();
        final List<Throwable> failures = new ArrayList<>();
        int ends;

        @Override
        public void onItem(Integer item) {
            items.add(item);
        }

        @Override
        public void onEnd() {
            ends++;
        }

        @Override
        public void onError(Throwable failure) {
            failures.add(failure);
        }

        ErrorCode failure() {
            assertEquals(1, failures.size(), failures.toString());
            return ((RealtimeException) failures.get(0)).code();
        }
    }

    /** Puts a frame in the session's inbox. */
    final void tell(String type, String more) {
        world.peer().send("{'type':'" + type + "','room':'@session','offset':" + ++offset + ",'ts':1" + more + "}");
    }

    final void answer(String type, String ref, String more) {
        tell(type, ",'ref':'" + ref + "'" + more);
        world.settle();
    }

    final void items(String ref, int from, int to) {
        for (int i = from; i < to; i++) {
            tell("$next", ",'ref':'" + ref + "','index':" + i + ",'data':" + i);
        }
        world.settle();
    }

    static String error(String code) {
        return ",'data':{'code':'" + code + "','message':'why','retryable':false}";
    }

    final Envelope only(String type) {
        List<Envelope> all = world.peer().all(type);
        assertEquals(1, all.size(), all.toString());
        return all.get(0);
    }

    final String refOf(String type) {
        return Objects.requireNonNull(only(type).ref());
    }

    final List<Protocol.Credit> credits() {
        List<Protocol.Credit> said = new ArrayList<>();
        for (Envelope frame : world.peer().all("$credit")) {
            said.add(frame.data(Protocol.Credit.class));
        }
        return said;
    }

    static ErrorCode failure(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return ((RealtimeException) Objects.requireNonNull(failure)).code();
    }

    final void resume(long processed, long answers) {
        reconnect(true, processed, answers);
    }

    /** The next server may know the client, but not its session. */
    final void loseSession(long processed, long answers) {
        world.rooms = inbox("s2", 0);
        offset = 0;
        reconnect(false, processed, answers);
    }

    final void reconnect(boolean resumed, long processed, long answers) {
        world.resumed = resumed;
        world.seq = processed;
        world.answers = answers;
        world.network.cutAll();
        world.settle();
        for (int i = 0; i < 100 && world.client().state().status() != ConnectionState.Status.OPEN; i++) {
            world.advance(100);
        }
        assertEquals(ConnectionState.Status.OPEN, world.client().state().status());
    }
}
