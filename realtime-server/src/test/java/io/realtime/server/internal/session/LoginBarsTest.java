package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import io.realtime.CloseReason;
import io.realtime.server.internal.session.LoginBars.Ticket;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class LoginBarsTest {
    private static final CloseReason OUT = new CloseReason(CloseReason.KICKED, "out");

    private final LoginBars admissions = new LoginBars();
    private int admitted;

    private @Nullable CloseReason admit(@Nullable Ticket ticket, LoginBars.Key... names) {
        return admissions.admit(ticket, List.of(names), () -> admitted++);
    }

    @Test
    void admissionThatBeganBeforeABarIsRefused() {
        Ticket before = admissions.begin();
        admissions.bar(LoginBars.Key.user("ann"), OUT);
        Ticket after = admissions.begin();
        assertSame(OUT, admit(before, LoginBars.Key.client("ann", "c"), LoginBars.Key.user("ann")));
        assertEquals(0, admitted);
        assertNull(admit(before, LoginBars.Key.user("bob")));
        assertNull(admit(before, LoginBars.Key.client("ann", "c"), LoginBars.Key.session("ann")));
        assertNull(admit(after, LoginBars.Key.user("ann")));
        assertEquals(3, admitted);
    }

    @Test
    void newestBarOfAUserCounts() {
        Ticket first = admissions.begin();
        admissions.bar(LoginBars.Key.user("ann"), OUT);
        Ticket second = admissions.begin();
        admissions.bar(LoginBars.Key.user("ann"), OUT);
        assertSame(OUT, admit(first, LoginBars.Key.user("ann")));
        assertSame(OUT, admit(second, LoginBars.Key.user("ann")));
        assertEquals(1, admissions.barred());
    }

    @Test
    void barIsForgottenWithTheLastThatBeganBefore() {
        admissions.bar(LoginBars.Key.user("nobody"), OUT);
        assertEquals(0, admissions.barred(), "none is under way");
        Ticket first = admissions.begin();
        admissions.bar(LoginBars.Key.user("ann"), OUT);
        Ticket second = admissions.begin();
        admissions.bar(LoginBars.Key.user("bob"), OUT);
        Ticket third = admissions.begin();
        admissions.end(second);
        assertEquals(2, admissions.barred());
        admissions.end(first);
        admissions.end(first);
        assertEquals(0, admissions.barred(), "the third began after both");
        assertNull(admit(third, LoginBars.Key.user("ann"), LoginBars.Key.user("bob")));
    }

    @Test
    void admissionThatIsOverIsRefused() {
        Ticket ticket = admissions.begin();
        admissions.end(ticket);
        assertEquals(CloseReason.GOING_AWAY, code(admit(ticket, LoginBars.Key.user("ann"))));
        assertEquals(CloseReason.GOING_AWAY, code(admit(null, LoginBars.Key.user("ann"))));
        assertEquals(0, admitted);
    }

    @Test
    void tooManyBarsHaveAllInProgressTryAgain() {
        Ticket before = admissions.begin();
        for (int i = 0; i <= 10_000; i++) {
            admissions.bar(LoginBars.Key.user("u" + i), OUT);
        }
        assertEquals(0, admissions.barred());
        assertEquals(CloseReason.OVERLOADED, code(admit(before, LoginBars.Key.user("another"))));
        assertNull(admit(admissions.begin(), LoginBars.Key.user("u1")));
    }

    @Test
    void loginAfterCloseIsRefused() {
        Ticket ticket = admissions.begin();
        admissions.close(OUT);
        assertSame(OUT, admit(ticket, LoginBars.Key.user("ann")));
        assertEquals(0, admitted);
    }

    private static int code(@Nullable CloseReason reason) {
        return reason == null ? 0 : reason.code();
    }
}
