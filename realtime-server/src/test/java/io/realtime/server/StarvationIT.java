package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.execution.Workers;
import io.realtime.testing.RawWebSocket;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who blocks handlers or the authenticator holds up nobody else: over real sockets, on the JVM's own kind of threads. */
@Timeout(60)
class StarvationIT {
    private static final Event<String> BLOCK = Event.of("block", String.class);
    private static final Event<String> ASK = Event.of("ask", String.class);
    private static final Request<String, String> QUESTION = Request.of("question", String.class, String.class);
    private static final Event<String> ECHO = Event.of("echo", String.class);

    private final CountDownLatch release = new CountDownLatch(1);
    private final Semaphore blocked = new Semaphore(0);
    private final List<RawWebSocket> sockets = new ArrayList<>();
    private final RealtimeServer server = RealtimeServer.builder()
            .port(0)
            .authenticator(credentials -> {
                String token = String.valueOf(credentials.token());
                if (token.startsWith("slow")) {
                    block();
                }
                return TestServer.byName(credentials);
            })
            .on(BLOCK, (session, message) -> block())
            .on(ASK, (session, message) -> session.send(ECHO, ask(session, message.data())))
            .on(ECHO, (session, message) -> session.send(ECHO, message.data()))
            .build()
            .start();

    /** Asks another user's client and waits, as a handler should not. */
    private static String answerOf(Session asked, Duration timeout) {
        try {
            return asked.request(QUESTION, "?", timeout).join();
        } catch (CompletionException failed) {
            return String.valueOf(failed.getCause());
        }
    }

    private static String ask(Session session, String user) {
        boolean isAnswered = user.startsWith("bob");
        Session other = session.connections().user(user).sessions().iterator().next();
        return answerOf(other, isAnswered ? Duration.ofMinutes(1) : Duration.ofMillis(100));
    }

    private void block() {
        blocked.release();
        try {
            release.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @AfterEach
    void close() throws IOException {
        release.countDown();
        for (RawWebSocket socket : sockets) {
            socket.close();
        }
        server.close();
    }

    private RawWebSocket connect(String token) throws IOException {
        RawWebSocket socket = RawWebSocket.connect(server.port());
        sockets.add(socket);
        String answer = socket.upgrade("/ws?token=" + token);
        assertTrue(answer.startsWith("HTTP/1.1 101"), answer);
        return socket;
    }

    private RawWebSocket welcomed(String token) throws IOException {
        RawWebSocket socket = connect(token);
        String welcome = socket.read().text();
        assertTrue(welcome.contains("$welcome"), welcome);
        return socket;
    }

    private static void echoes(RawWebSocket socket) throws IOException {
        socket.text("{\"type\":\"echo\",\"data\":\"hello\"}");
        String echo = socket.read().text();
        assertTrue(echo.contains("hello"), echo);
    }

    /** Has as many handlers as there are threads ask other users' clients and wait, each another one. */
    private List<RawWebSocket> askFromAllThreads(List<RawWebSocket> asked, String users) throws IOException {
        List<RawWebSocket> asking = new ArrayList<>();
        for (int i = 0; i < Workers.THREADS; i++) {
            asked.add(welcomed(users + i));
            asking.add(welcomed("ann" + i));
        }
        for (int i = 0; i < Workers.THREADS; i++) {
            asking.get(i).text("{\"type\":\"ask\",\"data\":\"" + users + i + "\"}");
        }
        return asking;
    }

    @Test
    void handlersThatWaitForAnswersGetThem() throws Exception {
        List<RawWebSocket> asked = new ArrayList<>();
        List<RawWebSocket> asking = askFromAllThreads(asked, "bob");
        List<String> refs = new ArrayList<>();
        for (RawWebSocket bob : asked) { // so all handlers wait
            refs.add(JsonParser.parseString(bob.read().text())
                    .getAsJsonObject()
                    .get("ref")
                    .getAsString());
        }
        for (int i = 0; i < asked.size(); i++) {
            asked.get(i).text("{\"type\":\"$reply\",\"ref\":\"" + refs.get(i) + "\",\"data\":\"yes\"}");
        }
        for (RawWebSocket ann : asking) {
            String answer = ann.read().text();
            assertTrue(answer.contains("\"yes\""), answer);
        }
    }

    @Test
    void handlersThatWaitForAnswersAreTimedOut() throws Exception {
        for (RawWebSocket ann : askFromAllThreads(new ArrayList<>(), "silent")) {
            String answer = ann.read().text();
            assertTrue(answer.contains("no answer within"), answer);
        }
    }

    @Test
    void handlersOfOneUserDoNotStopTheOthers() throws Exception {
        for (int i = 0; i < Workers.THREADS; i++) {
            welcomed("ann").text("{\"type\":\"block\",\"data\":\"x\"}");
        }
        blocked.acquire(Workers.THREADS / 2);
        echoes(welcomed("ben")); // is authenticated, and its handler runs
    }

    @Test
    void closeReturnsWhenTheLastHandlerHas() throws Exception {
        RawWebSocket ann = welcomed("ann");
        ann.text("{\"type\":\"block\",\"data\":\"x\"}");
        blocked.acquire();
        Thread closing = new Thread(() -> server.close(Duration.ofMinutes(10)));
        closing.start();
        assertTrue(ann.read().text().contains("$goodbye"));
        assertTrue(closing.isAlive());
        release.countDown();
        RawWebSocket.RawFrame frame = ann.read();
        while (frame.opcode() != RawWebSocket.CLOSE) {
            frame = ann.read();
        }
        ann.close();
        closing.join();
    }

    @Test
    void slowAuthenticatorDoesNotStopHandlers() throws Exception {
        RawWebSocket ben = welcomed("ben");
        for (int i = 0; i < Workers.THREADS; i++) {
            connect("slow" + i);
        }
        blocked.acquire(Workers.THREADS / 2);
        echoes(ben);
        assertEquals(0, server.stats().handlersWaiting());
    }
}
