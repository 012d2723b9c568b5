package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.mockito.Mockito;

class AckTimerTest {
    private final ManualScheduler time = new ManualScheduler();
    private final List<Runnable> handedOver = new ArrayList<>();
    private final AckTimer acknowledgements = new AckTimer(time, handedOver::add);

    @Test
    void timerThreadHandsOverInPartsAndWritesNothing() {
        List<SessionAcks> sessions = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            SessionAcks session = Mockito.mock(SessionAcks.class);
            sessions.add(session);
            acknowledgements.add(session);
        }
        assertEquals(1, time.pending(), "one timer for all");
        time.advance(Duration.ofMillis(99));
        assertEquals(0, handedOver.size());
        time.advance(Duration.ofMillis(1));
        assertEquals(3, handedOver.size());
        for (SessionAcks session : sessions) {
            Mockito.verify(session, Mockito.never()).due();
        }
        handedOver.forEach(Runnable::run);
        for (SessionAcks session : sessions) {
            Mockito.verify(session, Mockito.times(1)).due();
        }
    }

    @Test
    void laterAcknowledgementUsesTheNextTimer() {
        SessionAcks first = Mockito.mock(SessionAcks.class);
        SessionAcks second = Mockito.mock(SessionAcks.class);
        acknowledgements.add(first);
        time.advance(Duration.ofMillis(100));
        acknowledgements.add(second);
        time.advance(Duration.ofMillis(100));
        assertEquals(2, handedOver.size());
        handedOver.get(1).run();
        Mockito.verify(first, Mockito.never()).due();
        Mockito.verify(second).due();
        assertEquals(0, time.pending());
    }

    @Test
    void sessionThatThrowsDelaysNoOther() {
        List<SessionAcks> sessions = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            sessions.add(Mockito.mock(SessionAcks.class));
            acknowledgements.add(sessions.get(i));
        }
        Mockito.doThrow(new StackOverflowError("as the test wants"))
                .when(sessions.get(0))
                .due();
        time.advance(Duration.ofMillis(100));
        handedOver.get(0).run();
        Mockito.verify(sessions.get(1)).due();
        Mockito.verify(sessions.get(2)).due();
    }
}
