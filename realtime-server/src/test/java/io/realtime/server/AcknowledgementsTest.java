package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.mockito.Mockito;

class AcknowledgementsTest {
    private final ManualScheduler time = new ManualScheduler();
    private final List<Runnable> handedOver = new ArrayList<>();
    private final Acknowledgements acknowledgements = new Acknowledgements(time, handedOver::add);

    @Test
    void timerThreadHandsOverInPartsAndWritesNothing() {
        List<Session> sessions = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            Session session = Mockito.mock(Session.class);
            sessions.add(session);
            acknowledgements.owe(session);
        }
        assertEquals(1, time.pending(), "one timer for all");
        time.advance(Duration.ofMillis(99));
        assertEquals(0, handedOver.size());
        time.advance(Duration.ofMillis(1));
        assertEquals(3, handedOver.size());
        for (Session session : sessions) {
            Mockito.verify(session, Mockito.never()).acknowledgeLate();
        }
        handedOver.forEach(Runnable::run);
        for (Session session : sessions) {
            Mockito.verify(session, Mockito.times(1)).acknowledgeLate();
        }
    }

    @Test
    void laterDebtIsServedByTheNextTimer() {
        Session first = Mockito.mock(Session.class);
        Session second = Mockito.mock(Session.class);
        acknowledgements.owe(first);
        time.advance(Duration.ofMillis(100));
        acknowledgements.owe(second);
        time.advance(Duration.ofMillis(100));
        assertEquals(2, handedOver.size());
        handedOver.get(1).run();
        Mockito.verify(first, Mockito.never()).acknowledgeLate();
        Mockito.verify(second).acknowledgeLate();
        assertEquals(0, time.pending());
    }

    @Test
    void sessionThatThrowsHoldsUpNoOther() {
        List<Session> sessions = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            sessions.add(Mockito.mock(Session.class));
            acknowledgements.owe(sessions.get(i));
        }
        Mockito.doThrow(new StackOverflowError("as the test wants"))
                .when(sessions.get(0))
                .acknowledgeLate();
        time.advance(Duration.ofMillis(100));
        handedOver.get(0).run();
        Mockito.verify(sessions.get(1)).acknowledgeLate();
        Mockito.verify(sessions.get(2)).acknowledgeLate();
    }
}
