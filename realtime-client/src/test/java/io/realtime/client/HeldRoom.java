package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.Position;
import io.realtime.Subscription;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;

/** A client in room r, whose reload hook the test ends when it likes. */
abstract class HeldRoom {
    final World world = new World();
    final List<Gap> reloads = new ArrayList<>();
    final List<CompletableFuture<@Nullable Position>> loading = new ArrayList<>();
    final ClientRoom room = world.client().room("r");

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    CompletionStage<@Nullable Position> reload(Gap gap) {
        world.heard.add("reload");
        reloads.add(gap);
        CompletableFuture<@Nullable Position> stage = new CompletableFuture<>();
        loading.add(stage);
        return stage;
    }

    /** Joined to room r at e1/0, with a hook. */
    Subscription joined() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.client().on(World.TYPING, typing -> world.heard.add(typing.data().text()));
        Subscription hook = room.onReload(this::reload);
        world.connected();
        var unused = room.join();
        world.settle();
        assertEquals(List.of(), reloads, "a first join is no gap");
        return hook;
    }

    void gap(String name, String epoch, long offset) {
        world.peer()
                .send("{'type':'$gap','room':'" + name + "','data':{'epoch':'" + epoch + "','offset':" + offset
                        + ",'reason':'trimmed'}}");
        world.settle();
    }

    void said(long offset, String text) {
        world.peer().said("r", offset, text);
        world.settle();
    }

    void loaded(@Nullable Position upTo) {
        loading.get(loading.size() - 1).complete(upTo);
        world.settle();
    }

    void failed() {
        loading.get(loading.size() - 1).completeExceptionally(new IllegalStateException("store"));
        world.settle();
    }

    static Gap at(String epoch, long offset) {
        return new Gap("r", new Position(epoch, offset), "trimmed");
    }
}
