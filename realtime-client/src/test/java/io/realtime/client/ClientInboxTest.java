package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Protocol;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The user's inbox is acknowledged up to what the application has handled. */
class ClientInboxTest {
    private final World world = new World();

    @BeforeEach
    void hasAnInbox() {
        world.rooms = "{'@user':{'epoch':'u','offset':0}}";
    }

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private List<Long> acks() {
        List<Long> offsets = new ArrayList<>();
        world.peer()
                .all(Protocol.ACK)
                .forEach(ack -> offsets.add(
                        ack.<Protocol.InboxAck>data(Protocol.InboxAck.class).offset()));
        return offsets;
    }

    private void receive(long from, long to) {
        for (long offset = from; offset <= to; offset++) {
            world.peer().said("@user", offset, "m" + offset);
        }
        world.advance(2_000);
    }

    @Test
    void messageWithoutHandlerIsNotAcknowledged() {
        world.connected();
        receive(1, 3);
        assertEquals(List.of(), acks());
    }

    @Test
    void messageWhoseHandlerThrowsIsNotAcknowledged() {
        world.client().on(World.SAID, said -> {});
        world.client().on(World.SAID, said -> {
            if (said.data().text().equals("m2")) {
                throw new IllegalStateException("m2");
            }
        });
        world.connected();
        receive(1, 3);
        assertEquals(List.of(1L), acks());
    }

    @Test
    void messageThatDoesNotFitIsNotAcknowledged() {
        world.client().on(World.SAID, said -> {});
        world.connected();
        receive(1, 1);
        world.peer().send("{'type':'chat.said','room':'@user','data':7,'offset':2}");
        receive(3, 3);
        assertEquals(List.of(1L), acks());
    }

    @Test
    void unhandledMessageDelays100Acknowledgements() {
        world.client().on(World.SAID, said -> {
            if (said.data().text().equals("m2")) {
                throw new IllegalStateException("m2");
            }
        });
        world.connected();
        receive(1, 102);
        assertEquals(List.of(1L), acks());
        assertEquals(1, world.errors.size());
        receive(103, 103);
        assertEquals(List.of(1L, 103L), acks());
        assertEquals(2, world.errors.size());
        assertEquals(ErrorCode.NO_HANDLER, ((RealtimeException) world.errors.get(1)).code());
    }

    @Test
    void disconnectAcknowledgesWhatWasHandled() {
        world.client().on(World.SAID, said -> {});
        world.connected();
        world.peer().said("@user", 1, "a");
        world.peer().said("@user", 2, "b");
        world.settle();
        assertEquals(List.of(), acks());
        world.client().disconnect();
        world.settle();
        assertEquals(List.of(2L), acks());
        assertTrue(world.peer().closed != null);
    }

    @Test
    void closeAcknowledgesWhatWasHandled() {
        world.client().on(World.SAID, said -> {});
        world.connected();
        world.peer().said("@user", 1, "a");
        world.settle();
        world.client().close();
        world.settle();
        assertEquals(List.of(1L), acks());
    }

    @Test
    void whatWasHandledIsAcknowledgedOnTheNextConnection() {
        world.client().on(World.SAID, said -> {});
        world.connected();
        world.peer().said("@user", 1, "a");
        world.settle();
        world.rooms = "{'@user':{'epoch':'u','offset':1,'recovered':true}}";
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(2, world.peers.size());
        assertEquals(List.of(), acks());
        world.advance(1_000);
        assertEquals(List.of(1L), acks());
    }

    @Test
    void acknowledgementThatWasLostIsSaidOnNextConnection() {
        world.client().on(World.SAID, said -> {});
        world.connected();
        receive(1, 2);
        assertEquals(List.of(2L), acks());
        world.rooms = "{'@user':{'epoch':'u','offset':2,'recovered':true}}";
        world.network.cutAll();
        world.advance(2_000);
        assertEquals(2, world.peers.size());
        assertEquals(List.of(2L), acks());
        world.network.cutAll();
        world.rooms = "{'@user':{'epoch':'another','offset':0,'recovered':false,'reason':'epoch'}}";
        world.advance(2_000);
        assertEquals(3, world.peers.size());
        assertEquals(List.of(), acks());
    }
}
