package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a client is told of what the server does to its rooms. */
class ClientDeletionTest extends HeldRoom {
    private void listen() {
        world.use(world.builder().listener(new ClientListener() {
            @Override
            public void onDeleted(String name, Position position) {
                world.heard.add("deleted " + name + " " + position.offset());
            }

            @Override
            public void onRemoved(String name, @Nullable String reason) {
                world.heard.add("removed " + name + " " + reason);
            }
        }));
    }

    private ClientRoom joinedRoom() {
        listen();
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.connected();
        ClientRoom joined = world.client().room("r");
        var unused = joined.join();
        world.settle();
        return joined;
    }

    private void deleted(String name, long offset, long at) {
        world.peer()
                .send("{'type':'$deleted','room':'" + name + "','data':{'offset':" + offset + "},'offset':" + at + "}");
        world.settle();
    }

    @Test
    void deletionIsToldInOrderAndOnce() {
        ClientRoom joined = joinedRoom();
        said(1, "one");
        deleted("r", 1, 2);
        deleted("r", 1, 2);
        said(3, "three");
        assertEquals(List.of("one", "deleted r 1", "three"), world.heard);
        deleted("other", 1, 2);
        assertEquals(3, world.heard.size());
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(
                new Position("e1", 3),
                Objects.requireNonNull(world.peer().hello().positions()).get(joined.name()));
    }

    @Test
    void deletionDuringAReloadComesAfterItsMessage() {
        ClientRoom joined = joinedRoom();
        joined.onReload(this::reload);
        gap("r", "e2", 7);
        said(8, "eight");
        said(9, "nine");
        deleted("r", 9, 10);
        assertEquals(List.of("reload"), world.heard);
        loaded(new Position("e2", 8));
        assertEquals(List.of("reload", "nine", "deleted r 9"), world.heard);
    }

    @Test
    void deletionThatWasLoadedIsNotTold() {
        ClientRoom joined = joinedRoom();
        joined.onReload(this::reload);
        gap("r", "e2", 7);
        said(8, "eight");
        deleted("r", 8, 9);
        loaded(new Position("e2", 9));
        assertEquals(List.of("reload"), world.heard);
    }

    @Test
    void malformedDeletionIsPassedOver() {
        joinedRoom();
        deleted("r", -1, 2);
        world.peer().send("{'type':'$deleted','room':'r','data':'what','offset':3}");
        said(4, "four");
        assertEquals(List.of("four"), world.heard);
    }

    @Test
    void deletionInTheInboxIsAcknowledged() {
        world.rooms = "{'@user':{'epoch':'u','offset':0,'recovered':false}}";
        listen();
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.connected();
        world.peer().said("@user", 1, "one");
        deleted("@user", 1, 2);
        world.advance(1_100);
        assertEquals(List.of("one", "deleted @user 1"), world.heard);
        List<Envelope> acks = world.peer().all(Protocol.ACK);
        Protocol.InboxAck last = acks.get(acks.size() - 1).data(Protocol.InboxAck.class);
        assertEquals(2, last.offset());
    }

    @Test
    void closedRoomIsToldWithItsReasonAndNotJoinedAgain() {
        joinedRoom();
        world.peer().send("{'type':'$left','room':'r','data':{'epoch':'e1','offset':0,'reason':'over'}}");
        world.settle();
        assertEquals(List.of("removed r over"), world.heard);
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(0, world.peer().all(Protocol.JOIN).size());
    }

    @Test
    void removalWithoutAReasonIsToldToo() {
        joinedRoom();
        world.peer().send("{'type':'$left','room':'r'}");
        world.settle();
        assertEquals(List.of("removed r null"), world.heard);
    }

    @Test
    void ownLeaveIsNoRemoval() {
        ClientRoom joined = joinedRoom();
        CompletableFuture<Void> left = joined.leave();
        world.settle();
        assertTrue(left.isDone());
        assertEquals(List.of(), world.heard);
    }
}
