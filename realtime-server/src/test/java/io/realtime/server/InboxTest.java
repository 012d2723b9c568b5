package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages for a user, whichever of the user's devices are there. */
class InboxTest {
    private static final Event<String> NOTE = Event.of("note", String.class);

    private TestServer test = new TestServer(TestServer::byName, builder -> builder);

    private void start(UnaryOperator<RealtimeServer.Builder> config) {
        test.close();
        test = new TestServer(TestServer::byName, config);
    }

    @AfterEach
    void close() {
        test.close();
    }

    private void note(String... texts) {
        for (String text : texts) {
            test.server.connections().user("ann").send(NOTE, text);
        }
        test.settle();
    }

    private TestPeer device(String name) {
        return device(name, "");
    }

    private TestPeer device(String name, String more) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'ann','client':'" + name + "-0123456789012345'" + more + "}}");
        return peer;
    }

    private static List<String> notes(TestPeer peer) {
        List<String> notes = new ArrayList<>();
        while (peer.types().contains("note")) {
            notes.add(peer.next("note").get("data").getAsString());
        }
        return notes;
    }

    private static void acknowledge(TestPeer peer, long offset) {
        peer.send("{'type':'$ack','data':{'offset':" + offset + "}}");
    }

    @Test
    void unseenInboxMessagesWaitForTheNextDevice() {
        note("a", "b");
        TestPeer phone = device("phone");
        assertEquals(List.of("a", "b"), notes(phone));
        note("c");
        assertEquals(List.of("c"), notes(phone));
        acknowledge(phone, 2);
        assertEquals(
                List.of("c"), notes(device("laptop")), "a and b have reached the phone; c, for all we know, has not");
        acknowledge(phone, 3);
        assertEquals(List.of(), notes(device("tablet")));
    }

    @Test
    void everyDeviceGetsEverythingWhileItsPositionIsKnown() {
        TestPeer phone = device("phone");
        TestPeer laptop = device("laptop");
        JsonObject welcome = laptop.data("$welcome");
        laptop.cut();
        note("a", "b");
        acknowledge(phone, 2);
        assertEquals(List.of("a", "b"), notes(phone));
        TestPeer back = device("laptop", resume(welcome));
        assertEquals(List.of("a", "b"), notes(back), "though the phone has acknowledged them");
    }

    @Test
    void deviceWhoseSessionHasEndedStillGoesOnFromItsPosition() {
        start(builder -> builder.sessionTtl(Duration.ofMinutes(1)));
        TestPeer phone = device("phone");
        TestPeer laptop = device("laptop");
        JsonObject welcome = laptop.data("$welcome");
        laptop.cut();
        note("a");
        acknowledge(phone, 1);
        test.time.advance(Duration.ofHours(1));
        TestPeer back = device("laptop", resume(welcome));
        assertFalse(back.data("$welcome").get("resumed").getAsBoolean());
        assertEquals(List.of("a"), notes(back));
    }

    private static String resume(JsonObject welcome) {
        JsonObject at = welcome.getAsJsonObject("rooms").getAsJsonObject("@user");
        return ",'session':'" + welcome.get("session").getAsString() + "','positions':{'@user':['"
                + at.get("epoch").getAsString() + "'," + at.get("offset").getAsLong() + "]}";
    }

    @Test
    void messageThatLeavesDeviceOutIsNotSeenByItsAcknowledgement() {
        TestPeer phone = device("phone");
        Session session = test.server.connections().sessions().iterator().next();
        test.server.connections().user("ann").inbox().except(session.id()).send(NOTE, "for the others");
        note("for all");
        assertEquals(List.of("for all"), notes(phone));
        acknowledge(phone, 2);
        assertEquals(List.of("for the others", "for all"), notes(device("laptop")));
    }

    @Test
    void messageThatPassedNoFilterHoldsNoAcknowledgement() {
        TestPeer phone = device("phone");
        test.server.connections().user("ann").inbox().filter(session -> false).send(NOTE, "for nobody");
        note("for all");
        assertEquals(List.of("for all"), notes(phone));
        acknowledge(phone, 2);
        assertEquals(List.of(), notes(device("laptop")));
    }

    @Test
    void messageOnlyForUnknownSessionsHoldsNoAcknowledgement() {
        TestPeer phone = device("phone");
        test.server.connections().user("ann").inbox().only("of nobody").send(NOTE, "for nobody");
        note("for all");
        assertEquals(List.of("for all"), notes(phone));
        acknowledge(phone, 2);
        assertEquals(List.of(), notes(device("laptop")));
    }

    @Test
    void taggedMessageHoldsAcknowledgementForLaterDevices() {
        TestPeer phone = device("phone");
        test.server.connections().user("ann").inbox().having("kind", "laptop").send(NOTE, "for laptops");
        note("for all");
        assertEquals(List.of("for all"), notes(phone));
        acknowledge(phone, 2);
        assertEquals(List.of("for all"), notes(device("tablet")), "held for a laptop");
    }

    @Test
    void messageSentBeforeItsTagWasSetIsHeldForLaterDevices() {
        TestPeer phone = device("phone");
        Session session = test.server.connections().sessions().iterator().next();
        test.server.connections().user("ann").inbox().having("kind", "laptop").send(NOTE, "for laptops");
        note("for all");
        acknowledge(phone, 2);
        session.tag("kind", "laptop");
        note("more");
        assertEquals(List.of("for all", "more"), notes(phone));
        acknowledge(phone, 3);
        assertEquals(List.of("for all", "more"), notes(device("tablet")), "no device has got the first");
    }

    @Test
    void messageSentAfterItsTagWasSetIsAcknowledged() {
        TestPeer phone = device("phone");
        Session session = test.server.connections().sessions().iterator().next();
        note("for all");
        session.tag("kind", "laptop");
        test.server.connections().user("ann").inbox().having("kind", "laptop").send(NOTE, "for laptops");
        test.settle();
        assertEquals(List.of("for all", "for laptops"), notes(phone));
        acknowledge(phone, 2);
        assertEquals(List.of(), notes(device("tablet")));
    }

    @Test
    void messageWhoseTagWasRemovedAfterItsDeliveryIsAcknowledged() {
        TestPeer phone = device("phone");
        Session session = test.server.connections().sessions().iterator().next();
        session.tag("kind", "laptop");
        test.server.connections().user("ann").inbox().having("kind", "laptop").send(NOTE, "for laptops");
        test.settle();
        assertEquals(List.of("for laptops"), notes(phone));
        session.untag("kind");
        acknowledge(phone, 1);
        assertEquals(List.of(), notes(device("tablet")));
    }

    @Test
    void messageOlderThanTheKeptTagsIsHeldForLaterDevices() {
        TestPeer phone = device("phone");
        Session session = test.server.connections().sessions().iterator().next();
        session.tag("kind", "laptop");
        test.server.connections().user("ann").inbox().having("kind", "laptop").send(NOTE, "for laptops");
        note("for all");
        assertEquals(List.of("for laptops", "for all"), notes(phone));
        for (int i = 0; i < 20; i++) {
            session.tag("page", "page " + i);
        }
        acknowledge(phone, 2);
        assertEquals(
                List.of("for all"), notes(device("tablet")), "it is not known whether the phone has got the first");
    }

    @Test
    void filteredMessageHoldsAcknowledgementWhileItsDeviceMayCome() {
        TestPeer phone = device("phone");
        Session ofPhone = test.server.connections().sessions().iterator().next();
        TestPeer laptop = device("laptop");
        phone.cut();
        test.server.connections().user("ann").inbox().filter(ofPhone::equals).send(NOTE, "for the phone");
        note("for all");
        assertEquals(List.of("for all"), notes(laptop));
        acknowledge(laptop, 2);
        assertEquals(List.of("for all"), notes(device("tablet")), "held for the phone");
        ofPhone.disconnect("lost");
        acknowledge(laptop, 2);
        assertEquals(List.of(), notes(device("watch")));
    }

    @Test
    void deviceFromAnotherEpochGetsUnseenMessages() {
        note("a");
        TestPeer phone = device("phone", ",'session':'gone','positions':{'@user':['before',7]}");
        JsonObject at = phone.data("$welcome").getAsJsonObject("rooms").getAsJsonObject("@user");
        assertEquals("epoch", at.get("reason").getAsString());
        assertEquals(0, at.get("offset").getAsLong());
        assertEquals(List.of("a"), notes(phone));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, 0, 1})
    void acknowledgementThatGoesBackChangesNothing(long offset) {
        note("a", "b");
        TestPeer phone = device("phone");
        acknowledge(phone, 2);
        acknowledge(phone, offset);
        assertEquals(List.of(), notes(device("laptop")));
    }

    @Test
    void acknowledgementBeyondTheEndIsOneOfTheEnd() {
        note("a");
        acknowledge(device("phone"), 9_007_199_254_740_991L);
        note("b");
        assertEquals(List.of("b"), notes(device("laptop")));
    }

    @Test
    void acknowledgementWithoutAPlaceIsRefused() {
        TestPeer phone = device("phone");
        assertEquals("bad_data", phone.errorOf("{'type':'$ack'}"));
        assertEquals("bad_data", phone.errorOf("{'type':'$ack','data':{'offset':'two'}}"));
        assertNull(phone.closed());
    }

    @Test
    void plainClientBeginsAtTheEndAndReadsTheRestAsHistory() {
        note("a");
        TestPeer tab = test.plain("ann");
        assertEquals(List.of(), notes(tab));
        tab.send("{'type':'$history','room':'@user','ref':'h'}");
        assertEquals(1, tab.data("$reply").getAsJsonArray("messages").size());
    }

    @Test
    void inboxIsKeptForDaysWhileRoomsAreKeptForMinutes() {
        note("a");
        test.time.advance(Duration.ofDays(6));
        assertEquals(List.of("a"), notes(device("phone")));
        note("b");
        test.time.advance(Duration.ofDays(8));
        assertEquals(List.of(), notes(device("laptop")));
    }
}
