package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import io.realtime.server.SessionListener;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;

/** A server with a stream and handlers that the test holds, and what they saw. */
abstract class ServerCallsFixture {
    static final Event<String> SAY = Event.of("say", String.class);
    static final StreamRequest<Integer, Integer> COUNT = StreamRequest.of("count", Integer.class, Integer.class);
    static final Request<String, Integer> LENGTH = Request.of("length", String.class, Integer.class);
    static final StreamRequest<String, Integer> DIGITS = StreamRequest.of("digits", String.class, Integer.class);

    final List<StreamSink<Integer>> sinks = new ArrayList<>();
    final List<Session> sessions = new ArrayList<>();
    final List<String> said = new ArrayList<>();
    final List<Throwable> errors = new ArrayList<>();
    TestServer test = start(builder -> builder);

    final TestServer start(UnaryOperator<RealtimeServer.Builder> config) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> config.apply(builder.listener(new SessionListener() {
                            @Override
                            public void onOpen(Session session) {
                                sessions.add(session);
                            }

                            @Override
                            public void onError(Session session, Throwable failure) {
                                errors.add(failure);
                            }
                        })
                        .on(SAY, (session, message) -> said.add(message.data()))
                        .onStreamAsync(COUNT, (session, upTo, out) -> count(upTo, out))));
        return test;
    }

    /** Counts up to a number as the reader takes it. */
    final void count(int upTo, StreamSink<Integer> out) {
        sinks.add(out);
        int[] next = {0};
        out.onReady(() -> {
            while (next[0] < upTo && out.offer(next[0])) {
                next[0]++;
            }
            if (next[0] == upTo) {
                out.end();
            }
        });
    }

    @AfterEach
    final void close() {
        test.release();
        test.close();
    }

    final TestPeer peer(boolean isManaged) {
        return isManaged ? test.managed("ann") : test.plain("ann");
    }

    static String ask(String ref, int upTo) {
        return "{'type':'count','ref':'" + ref + "','data':" + upTo + "}";
    }

    static String credit(String data) {
        return "{'type':'$credit','data':" + data + "}";
    }

    static List<Integer> items(TestPeer peer, String ref) {
        List<Integer> items = new ArrayList<>();
        for (JsonObject frame : peer.received()) {
            if (frame.get("type").getAsString().equals("$next")
                    && frame.get("ref").getAsString().equals(ref)) {
                assertEquals(items.size(), frame.get("index").getAsInt());
                items.add(frame.get("data").getAsInt());
            }
        }
        return items;
    }

    static ErrorCode failure(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return ((RealtimeException) Objects.requireNonNull(failure)).code();
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

    static void credit(TestPeer from, String ref, long upTo) {
        from.post("{'type':'$credit','data':{'streams':{'" + ref + "':" + upTo + "}}}");
    }
}
