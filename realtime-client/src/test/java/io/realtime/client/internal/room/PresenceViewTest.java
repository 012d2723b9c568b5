package io.realtime.client.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.mock;

import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.internal.wire.Protocol.PresenceNotice;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.Test;

/** What waits for the listeners of one room's presence. */
class PresenceViewTest {
    private final Deque<Runnable> waiting = new ArrayDeque<>();

    private PresenceView view() {
        CallbackDispatcher callbacks = mock(CallbackDispatcher.class);
        doAnswer(call -> waiting.add(call.getArgument(0))).when(callbacks).execute(any());
        return new PresenceView("r", callbacks);
    }

    private static void counts(PresenceView view, int online) {
        view.take(new PresenceNotice(online, null, null, null, null, null, online, 100), "secret");
    }

    @Test
    void oneTaskWaitsForASlowListener() {
        PresenceView view = view();
        counts(view, 1);
        counts(view, 2);
        view.tellSoon();
        assertEquals(1, waiting.size());
        waiting.remove().run();
        assertEquals(2, view.told().online());
        counts(view, 3);
        assertEquals(1, waiting.size());
        waiting.remove().run();
        assertEquals(3, view.told().online());
    }
}
