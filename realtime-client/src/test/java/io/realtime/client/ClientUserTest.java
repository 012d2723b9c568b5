package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.client.World.Say;
import io.realtime.client.internal.outbox.BrokenDisk;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.internal.wire.Protocol;
import io.realtime.testing.HeldExecutor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What one user wrote, asked and joined is never another's. */
class ClientUserTest {
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final StreamRequest<String, String> WATCH = StreamRequest.of("watch", String.class, String.class);

    @TempDir
    Path directory;

    private final World world = new World();
    private final BrokenDisk disk = new BrokenDisk();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private static ErrorCode code(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return ((RealtimeException) Objects.requireNonNull(failure)).code();
    }

    private FileOutbox open() {
        try {
            return new FileOutbox(OutboxFile.open(directory.resolve("outbox"), world.time, () -> {}, disk));
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private void connectAs(String user) {
        world.user = user;
        var unused = world.client().connect();
        world.settle();
    }

    private CompletableFuture<Void> say(String text) {
        CompletableFuture<Void> sent = world.client().send(World.SAY, new Say(text));
        world.settle();
        return sent;
    }

    private List<String> dropped() {
        List<String> texts = new ArrayList<>();
        world.dropped.forEach(message ->
                texts.add(message.data(World.SAY).text() + " " + message.cause().code()));
        return texts;
    }

    private List<String> saidSince(int peer) {
        List<String> says = new ArrayList<>();
        world.peers.subList(peer, world.peers.size()).forEach(one -> says.addAll(one.says()));
        return says;
    }

    @Test
    void messagesOfFormerUserAreDroppedAndTold() {
        connectAs("alice");
        world.acks = false;
        CompletableFuture<Void> onItsWay = say("sent");
        world.client().disconnect(Duration.ZERO);
        CompletableFuture<Void> waiting = say("waits");
        connectAs("bob");

        assertTrue(world.client().isConnected());
        assertEquals(ErrorCode.USER_CHANGED, code(onItsWay));
        assertEquals(ErrorCode.USER_CHANGED, code(waiting));
        assertEquals(List.of("sent user_changed", "waits user_changed"), dropped());
        assertEquals(List.of(), saidSince(1));

        world.acks = true;
        CompletableFuture<Void> bobs = say("bob's");
        assertTrue(bobs.isDone() && !bobs.isCompletedExceptionally());
        assertEquals(List.of("bob's"), world.peer().says());
    }

    @Test
    void newUserBeginsWithNothingOfTheFormer() {
        world.rooms = "{'@user':{'epoch':'e1','offset':7,'recovered':false}}";
        connectAs("alice");
        String id = world.peer().hello().client();
        var joined = world.client().room("r").join();
        world.settle();
        assertTrue(joined.isDone());
        world.client().disconnect(Duration.ZERO);
        CompletableFuture<JoinResult> joining = world.client().room("late").join();
        connectAs("bob");

        assertEquals(3, world.peers.size());
        World.Peer rejected = world.peers.get(1);
        assertEquals(id, rejected.hello().client());
        assertEquals(1, rejected.frames.size());
        World.Peer last = world.peer();
        assertNotEquals(id, last.hello().client());
        assertNull(last.hello().session());
        assertTrue(last.hello().positions() == null || last.hello().positions().equals(Map.of()));
        assertEquals(List.of(), last.all("$join"));
        assertEquals(ErrorCode.USER_CHANGED, code(joining));
        List<String> gaps = new ArrayList<>();
        world.gaps.forEach(gap -> gaps.add(gap.room() + " " + gap.reason()));
        assertEquals(List.of("@user user_changed", "r user_changed"), gaps);
    }

    @Test
    void questionsOfFormerUserFail() {
        connectAs("alice");
        world.acks = false;
        CompletableFuture<String> answer = world.client().request(ASK, "alice?");
        List<Throwable> ends = new ArrayList<>();
        var unused = world.client().stream(WATCH, "alice?", new StreamListener<String>() {
            @Override
            public void onItem(String item) {}

            @Override
            public void onError(Throwable failure) {
                ends.add(failure);
            }
        });
        world.settle();
        world.network.cutAll();
        world.user = "bob";
        world.advance(5_000);

        assertTrue(world.client().isConnected());
        assertEquals(ErrorCode.USER_CHANGED, code(answer));
        assertEquals(1, ends.size());
        assertEquals(List.of(), world.peer().all("ask"));
        assertEquals(List.of(), world.peer().all("watch"));
    }

    @Test
    void lateAnswerOfFormerUserIsDropped() {
        List<CompletableFuture<String>> answers = new ArrayList<>();
        world.client().onRequestAsync(ASK, question -> {
            CompletableFuture<String> answer = new CompletableFuture<>();
            answers.add(answer);
            return answer;
        });
        connectAs("alice");
        world.peer().send("{'type':'ask','ref':'q1','room':'@session','data':'?'}");
        world.settle();
        world.client().disconnect(Duration.ZERO);
        connectAs("bob");
        answers.get(0).complete("alice's secret");
        world.settle();
        assertEquals(List.of(), world.peer().all("$reply"));
    }

    @Test
    void questionOfFormerUserIsNotAnsweredForTheNext() {
        HeldExecutor callbacks = new HeldExecutor();
        world.use(world.builder().callbackExecutor(callbacks));
        world.client().onRequest(ASK, question -> "alice's secret");
        world.client().onStreamAsync(WATCH, (question, out) -> {
            out.send("alice's secret");
            out.end();
        });
        connectAs("alice");
        world.peer().send("{'type':'ask','ref':'q1','room':'@session','data':'?'}");
        world.peer().send("{'type':'watch','ref':'q2','room':'@session','data':'?'}");
        world.settle();
        world.client().disconnect(Duration.ZERO);
        connectAs("bob");
        callbacks.runAll();
        world.settle();
        assertTrue(world.client().isConnected());
        assertEquals(1, world.peer().frames.size());
        callbacks.runAll();
    }

    /** Bob's welcome is the last thing heard for a while; then the application is another user's. */
    private void becomeBobThenOffline() {
        connectAs("alice");
        world.client().disconnect(Duration.ZERO);
        world.onHello = peer -> {
            peer.welcome();
            world.network.refuseConnections(true);
        };
        connectAs("bob");
        world.network.refuseConnections(false);
        world.onHello = World.Peer::welcome;
    }

    @Test
    void messagesOfSecondUserAreNotSentAsThird() {
        becomeBobThenOffline();
        CompletableFuture<Void> sent = say("bob's words");
        CompletableFuture<String> asked = world.client().request(ASK, "bob?");
        CompletableFuture<JoinResult> joined = world.client().room("bob's").join();
        world.user = "carol";
        world.advance(5_000);
        assertTrue(world.client().isConnected());
        assertEquals(ErrorCode.USER_CHANGED, code(sent));
        assertEquals(ErrorCode.USER_CHANGED, code(asked));
        assertEquals(ErrorCode.USER_CHANGED, code(joined));
        assertEquals(List.of("bob's words user_changed"), dropped());
        assertEquals(1, world.peer().frames.size());
        assertEquals(3, world.peers.size());
        CompletableFuture<Void> carols = say("carol's words");
        assertTrue(carols.isDone() && !carols.isCompletedExceptionally());
        assertEquals(List.of("carol's words"), world.peer().says());
    }

    @Test
    void messagesOfSecondUserAreSentWhenTheyReturn() {
        becomeBobThenOffline();
        CompletableFuture<Void> sent = say("bob's words");
        world.advance(5_000);
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally());
        assertEquals(List.of("bob's words"), world.peer().says());
    }

    @Test
    void inboxOfFormerUserIsNotAcknowledgedForTheNext() {
        HeldExecutor callbacks = new HeldExecutor();
        world.use(world.builder().callbackExecutor(callbacks));
        world.client().on(World.SAID, said -> {});
        world.rooms = "{'@user':{'epoch':'e1','offset':0,'recovered':false}}";
        connectAs("alice");
        world.peer().said("@user", 5, "for alice");
        world.settle();
        world.client().disconnect(Duration.ZERO);
        connectAs("bob");
        assertTrue(world.client().isConnected());
        callbacks.runAll();
        world.advance(5_000);
        assertEquals(List.of(), world.peer().all("$ack"));
        callbacks.runAll();
    }

    /** Inboxes of one server share their epoch, so that the place would stand for messages that bob has not seen. */
    @Test
    void placeInTheInboxOfFormerUserIsForgotten() {
        world.client().on(World.SAID, said -> {});
        world.rooms = "{'@user':{'epoch':'e1','offset':0,'recovered':false}}";
        connectAs("alice");
        world.peer().said("@user", 5, "for alice");
        world.settle();
        world.network.cutAll();
        world.settle();
        connectAs("bob");
        world.advance(5_000);
        assertEquals("bob", world.user);
        assertTrue(world.client().isConnected());
        world.advance(5_000);
        assertEquals(List.of(), world.peer().all("$ack"));
        world.peer().said("@user", 1, "for bob");
        world.advance(2_000);
        assertEquals(1, world.peer().all("$ack").size());
        Protocol.InboxAck ack = world.peer().all("$ack").get(0).data(Protocol.InboxAck.class);
        assertEquals(1, ack.offset());
    }

    @Test
    void sameUserKeepsEverything() {
        connectAs("alice");
        world.acks = false;
        CompletableFuture<Void> sent = say("a");
        world.client().disconnect(Duration.ZERO);
        world.acks = true;
        connectAs("alice");
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally());
        assertEquals(2, world.peers.size());
        assertEquals(world.peers.get(0).hello().client(), world.peer().hello().client());
        assertEquals(List.of("a*"), world.peer().says());
    }

    @Test
    void serverThatNamesAUserByClientIdIsFollowed() {
        world.onHello = peer -> {
            world.user = "guest-" + peer.hello().client();
            peer.welcome();
        };
        connectAs("nobody");
        CompletableFuture<Void> sent = say("a");
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally());
        world.client().disconnect(Duration.ZERO);
        world.onHello = World.Peer::welcome;
        connectAs("alice");
        world.client().disconnect(Duration.ZERO);
        world.onHello = peer -> {
            world.user = "guest-" + peer.hello().client();
            peer.welcome();
        };
        int before = world.peers.size();
        connectAs("nobody");
        assertTrue(world.client().isConnected());
        assertEquals(before + 2, world.peers.size());
        CompletableFuture<Void> guests = say("b");
        assertTrue(guests.isDone() && !guests.isCompletedExceptionally());
    }

    @Test
    void fileOfAnotherUserIsDroppedByTheNextProcess() {
        world.use(world.builder().outboxFile(open()));
        connectAs("alice");
        world.acks = false;
        CompletableFuture<Void> sent = say("sent");
        String id = world.peer().hello().client();
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));

        world.use(world.builder().outboxFile(open()));
        connectAs("bob");
        assertTrue(world.client().isConnected());
        assertEquals(List.of("sent user_changed"), dropped());
        assertEquals(List.of(), saidSince(1));
        String bobsId = world.peer().hello().client();
        assertNotEquals(id, bobsId);
        CompletableFuture<Void> bobs = say("bob's");
        assertEquals(List.of("bob's"), world.peer().says());
        world.client().close();
        world.settle();
        assertTrue(bobs.isDone());

        world.use(world.builder().outboxFile(open()));
        world.acks = true;
        connectAs("bob");
        assertEquals(bobsId, world.peer().hello().client());
        assertEquals(List.of("bob's*"), world.peer().says());
        assertEquals(1, world.dropped.size());
    }

    @Test
    void fileNamesItsUserBeforeAnythingLeaves() {
        world.use(world.builder().outboxFile(open()));
        CompletableFuture<Void> sent = say("before the first welcome");
        disk.full = true;
        connectAs("alice");
        world.advance(3_000);
        assertTrue(world.client().isConnected());
        assertEquals(List.of(), world.peer().says());
        disk.full = false;
        world.advance(1_000);
        assertEquals(List.of("before the first welcome"), world.peer().says());
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally());
    }

    /** The provider answers for bob at once; then there is no network. */
    private CompletableFuture<Void> writeBetweenTheWelcomesOfBob() {
        FileOutbox file = open();
        world.use(world.builder().outboxFile(file));
        connectAs("alice");
        world.client().disconnect(Duration.ZERO);
        world.onHello = peer -> {
            peer.welcome();
            world.network.refuseConnections(true);
        };
        connectAs("bob");
        CompletableFuture<Void> sent = say("bob's words");
        CompletableFuture<Void> safe = file.sync();
        world.settle();
        assertTrue(safe.isDone() && !safe.isCompletedExceptionally());
        world.client().close();
        world.settle();
        world.network.refuseConnections(false);
        world.onHello = World.Peer::welcome;
        world.use(world.builder().outboxFile(open()));
        return sent;
    }

    @Test
    void storedMessagesOfNewUserAreNotSentAsFormer() {
        CompletableFuture<Void> sent = writeBetweenTheWelcomesOfBob();
        connectAs("alice");
        assertEquals(List.of(), saidSince(0));
        assertEquals(List.of("bob's words user_changed"), dropped());
        assertTrue(sent.isDone());
    }

    @Test
    void storedMessagesOfNewUserAreSentByNextProcess() {
        CompletableFuture<Void> sent = writeBetweenTheWelcomesOfBob();
        connectAs("bob");
        assertEquals(List.of("bob's words*"), saidSince(0));
        assertEquals(List.of(), dropped());
        assertTrue(sent.isDone());
    }

    @Test
    void fileThatCannotNameItsUserStoresNothing() throws IOException {
        FileOutbox file = open();
        world.use(world.builder().outboxFile(file));
        Path inTheWay = Files.createDirectories(directory.resolve("outbox.new/x"));
        connectAs("alice");
        CompletableFuture<Void> safe = file.sync();
        CompletableFuture<Void> sent = say("alice's words");
        assertEquals(ErrorCode.STORAGE, code(sent));
        assertEquals(ErrorCode.STORAGE, code(safe));
        world.client().close();
        world.settle();
        Files.delete(inTheWay);
        Files.delete(directory.resolve("outbox.new"));
        world.use(world.builder().outboxFile(open()));
        connectAs("bob");
        assertEquals(List.of(), saidSince(0));
    }

    @Test
    void fileThatCannotNameItsUserIsTriedOnceASecond() throws IOException {
        world.use(world.builder().outboxFile(open()));
        Files.createDirectories(directory.resolve("outbox.new/x"));
        connectAs("alice");
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            sent.add(say("m" + i));
        }
        int before = disk.opened.size();
        world.advance(10_000);
        assertEquals(10, disk.opened.size() - before);
        sent.forEach(one -> assertEquals(ErrorCode.STORAGE, code(one)));
    }

    @Test
    void fileOfUserWhoComesAgainHasTheNewClientId() {
        world.use(world.builder().outboxFile(open()));
        connectAs("alice");
        world.client().disconnect(Duration.ZERO);
        world.acks = false;
        List<String> users = new ArrayList<>(List.of("bob", "alice"));
        world.onHello = peer -> {
            world.user = users.isEmpty() ? "alice" : users.remove(0);
            peer.welcome();
        };
        connectAs("bob");
        CompletableFuture<Void> sent = say("second");
        String id = world.peer().hello().client();
        assertEquals(List.of("second"), world.peer().says());
        world.client().close();
        world.settle();
        world.use(world.builder().outboxFile(open()));
        connectAs("alice");
        assertEquals(id, world.peer().hello().client());
        assertEquals(List.of("second*"), world.peer().says());
        assertTrue(sent.isDone());
    }
}
