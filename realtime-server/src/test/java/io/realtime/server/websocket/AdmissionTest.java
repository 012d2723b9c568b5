package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.realtime.spi.ServerTransport.Config;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final int MOST = 5;
    private static final int PER_ADDRESS = 3;
    private static final int PENDING = 2;

    private final Admission admission = new Admission(
            new Config(new InetSocketAddress(0), 1, 1, Duration.ofSeconds(1), 1, MOST, PER_ADDRESS, PENDING, null));
    private final List<String> cut = new ArrayList<>();

    @Test
    void connectionsOfOneAddressAreBounded() {
        Admission.Place first = enter("192.0.2.1");
        enter("192.0.2.1");
        enter("192.0.2.1");
        assertNull(admission.enter(new InetSocketAddress("192.0.2.1", 1)));
        enter("192.0.2.2");
        first.leave();
        first.leave(); // counts once
        enter("192.0.2.1");
        assertNull(admission.enter(new InetSocketAddress("192.0.2.1", 1)));
    }

    @Test
    void allConnectionsAreBounded() {
        Admission.Place last = enter("192.0.2.0");
        for (int i = 1; i < MOST; i++) {
            last = enter("192.0.2." + i);
        }
        assertNull(admission.enter(new InetSocketAddress("198.51.100.1", 1)));
        last.leave();
        enter("198.51.100.1");
    }

    @Test
    void networkOfIpv6IsOneAddress() {
        enter("2001:db8:1:2::1");
        enter("2001:db8:1:2:ffff::2");
        enter("2001:db8:1:2::3");
        assertNull(admission.enter(new InetSocketAddress("2001:db8:1:2:8::4", 1)));
        enter("2001:db8:1:3::1");
    }

    @Test
    void oldestUpgradeIsCutForANewOne() {
        Admission.Place oldest = upgrading("192.0.2.1");
        Admission.Place quick = upgrading("192.0.2.2");
        quick.upgraded();
        upgrading("192.0.2.3");
        assertEquals(List.of(), cut);
        upgrading("192.0.2.4");
        assertEquals(List.of("192.0.2.1"), cut);
        oldest.leave(); // as a connection that was cut does
        upgrading("192.0.2.5");
        assertEquals(List.of("192.0.2.1", "192.0.2.3"), cut);
    }

    /** Another thread may have read the request before the one that accepts is done. */
    @Test
    void upgradeThatIsFinishedBeforeItsBeginIsNotedMakesNoRoom() {
        Admission.Place quick = enter("192.0.2.1");
        quick.upgraded();
        quick.upgrading(() -> cut.add("quick"));
        upgrading("192.0.2.2");
        upgrading("192.0.2.3");
        assertEquals(List.of(), cut);
    }

    @Test
    void connectionThatLeftIsNotUpgrading() {
        Admission.Place gone = enter("192.0.2.1");
        gone.leave();
        gone.upgrading(() -> cut.add("gone"));
        upgrading("192.0.2.2");
        upgrading("192.0.2.3");
        assertEquals(List.of(), cut);
    }

    private Admission.Place enter(String address) {
        Admission.Place place = admission.enter(new InetSocketAddress(address, 1));
        assertNotNull(place);
        return Objects.requireNonNull(place);
    }

    private Admission.Place upgrading(String address) {
        Admission.Place place = enter(address);
        place.upgrading(() -> cut.add(address));
        return place;
    }
}
