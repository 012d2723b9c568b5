package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A checker that overlooks something proves nothing: each promise is broken here, alone, and kept beside that. */
class DeliveryHistoryTest {
    private final List<String> trace = new ArrayList<>();
    private final DeliveryHistory history = new DeliveryHistory(trace::add);

    private static Position at(String epoch, long offset) {
        return new Position(epoch, offset);
    }

    private void sent(String... messages) {
        for (String message : messages) {
            history.sent("ann", message);
        }
    }

    private void handled(String life, String message) {
        history.handled(life, "ann", message, false);
    }

    private void handledAgain(String life, String message) {
        history.handled(life, "ann", message, true);
    }

    private void published(String epoch, String... messages) {
        for (int i = 0; i < messages.length; i++) {
            history.published("r", at(epoch, i + 1), messages[i], List.of());
        }
    }

    private void delivered(String epoch, long offset, String message) {
        history.delivered("bob", "r", at(epoch, offset), message);
    }

    private void assertBroken(String... lines) {
        assertEquals(List.of(lines), history.broken());
        AssertionError report = assertThrows(AssertionError.class, history::requireKept);
        for (String line : lines) {
            assertTrue(String.valueOf(report.getMessage()).contains(line), String.valueOf(report));
            assertTrue(trace.contains("BROKEN: " + line), String.valueOf(trace));
        }
    }

    private void assertKept() {
        history.requireKept();
        assertEquals(List.of(), history.broken());
    }

    // ---------------------------------------------------------------- deleted messages

    @Test
    void deletedMessageNeedsToReachNobody() {
        history.joined("bob", "r", at("e", 0));
        published("e", "m1", "m2");
        history.deleted("r", at("e", 1));
        delivered("e", 2, "m2");
        history.settled();
        assertKept();
    }

    @Test
    void deletedMessageMayStillArriveBeforeItsNoticeOnly() {
        history.joined("bob", "r", at("e", 0));
        published("e", "m1", "m2");
        history.deleted("r", at("e", 1));
        delivered("e", 1, "m1");
        history.deleted("r", at("e", 2));
        history.toldDeleted("bob", "r", at("e", 2));
        delivered("e", 2, "m2");
        assertBroken("bob got m2 of r, of which it was told that it is deleted");
    }

    // ---------------------------------------------------------------- from clients to the server

    @Test
    void messagesThatAreHandledOnceInOrderAndAcknowledgedAreKept() {
        sent("a", "b");
        handled("life 1", "a");
        handled("life 1", "b");
        history.acknowledged("ann", "a");
        history.acknowledged("ann", "b");
        history.settled();
        assertKept();
        assertEquals(7, history.events());
        assertEquals(7, trace.size(), String.valueOf(trace));
    }

    @Test
    void whatIsHandledAgainInALaterLifeAndMarkedIsKept() {
        sent("a", "b");
        handled("life 1", "a");
        handled("life 1", "b");
        handledAgain("life 2", "a");
        handledAgain("life 2", "b");
        history.acknowledged("ann", "a");
        history.acknowledged("ann", "b");
        history.settled();
        assertKept();
    }

    @Test
    void messagesOfDifferentClientsAreUnordered() {
        history.sent("ann", "a");
        history.sent("bob", "a");
        history.handled("life 1", "bob", "a", false);
        history.handled("life 1", "ann", "a", false);
        history.acknowledged("ann", "a");
        history.acknowledged("bob", "a");
        history.settled();
        assertKept();
    }

    @Test
    void acknowledgementOfWhatNoHandlerHasSeenIsReported() {
        sent("a");
        history.acknowledged("ann", "a");
        assertBroken("ann was told that a is processed, but no handler has seen it");
    }

    @Test
    void secondAcknowledgementIsReported() {
        sent("a");
        handled("life 1", "a");
        history.acknowledged("ann", "a");
        history.acknowledged("ann", "a");
        assertBroken("ann was told the fate of a twice");
    }

    @Test
    void acknowledgementOfWhatWasGivenUpIsReported() {
        sent("a");
        handled("life 1", "a");
        history.gaveUp("ann", "a", "expired");
        history.acknowledged("ann", "a");
        assertBroken("ann was told the fate of a twice");
    }

    @Test
    void repeatInALaterLifeThatIsNotMarkedIsReported() {
        sent("a");
        handled("life 1", "a");
        handled("life 2", "a");
        assertBroken("life 2 handled a of ann again without its being marked redelivered");
    }

    @Test
    void repeatInOneLifeIsReportedThoughItIsMarked() {
        sent("a");
        handled("life 1", "a");
        handledAgain("life 1", "a");
        assertBroken("life 1 handled a of ann twice");
    }

    @Test
    void whatIsHandledAfterANewerMessageIsReported() {
        sent("a", "b");
        history.gaveUp("ann", "a", "expired");
        handled("life 1", "b");
        handled("life 1", "a");
        assertBroken("life 1 handled a of ann behind b");
    }

    @Test
    void whatIsHandledAgainAfterNewerMessageOfItsLifeIsReported() {
        sent("a", "b");
        handled("life 1", "a");
        handled("life 1", "b");
        handledAgain("life 2", "b");
        handledAgain("life 2", "a");
        assertBroken("life 2 handled a of ann behind b");
    }

    @Test
    void whatIsHandledBeforeAnOlderMessageIsReported() {
        sent("a", "b", "c");
        handled("life 1", "a");
        handled("life 1", "c");
        handled("life 2", "b");
        assertBroken("life 1 handled c of ann before b, which was sent earlier");
    }

    @Test
    void messageIsGivenUpAfterNewerOneWasHandled() {
        sent("a", "b");
        handled("life 1", "b");
        history.gaveUp("ann", "a", "the outbox was full, as its client heard late");
        history.acknowledged("ann", "b");
        history.settled();
        assertKept();
    }

    @Test
    void olderMessageThatIsNeitherHandledNorGivenUpIsReportedInEnd() {
        sent("a", "b");
        handled("life 1", "b");
        history.acknowledged("ann", "b");
        history.orphaned("ann", "a");
        history.settled();
        assertBroken("a of ann was never handled");
    }

    @Test
    void messageWithoutAFateIsReportedInTheEnd() {
        sent("a");
        handled("life 1", "a");
        history.settled();
        assertBroken("ann was never told the fate of a");
    }

    @Test
    void unhandledMessageOfAGoneSenderIsReportedInTheEnd() {
        sent("a");
        history.orphaned("ann", "a");
        history.settled();
        assertBroken("a of ann was never handled");
    }

    @Test
    void handledOrphanKeepsThePromise() {
        sent("a");
        history.orphaned("ann", "a");
        handledAgain("life 1", "a");
        history.settled();
        assertKept();
    }

    @Test
    void messageThatWasGivenUpMayBeMissingAndDelaysNoOther() {
        sent("a", "b");
        history.gaveUp("ann", "a", "expired");
        handled("life 1", "b");
        history.acknowledged("ann", "b");
        history.settled();
        assertKept();
    }

    @Test
    void messageThatWasGivenUpMayStillArrive() {
        sent("a", "b");
        history.gaveUp("ann", "a", "its process died");
        handled("life 1", "a");
        handled("life 1", "b");
        history.acknowledged("ann", "b");
        history.settled();
        assertKept();
    }

    @Test
    void misuseIsRefusedNamingTheMessage() {
        sent("a");
        IllegalArgumentException twice = assertThrows(IllegalArgumentException.class, () -> sent("a"));
        assertEquals("ann sends a twice; name each message once", twice.getMessage());
        IllegalArgumentException never = assertThrows(IllegalArgumentException.class, () -> handled("life 1", "b"));
        assertEquals("ann never sent b", never.getMessage());
    }

    // ---------------------------------------------------------------- from rooms to their members

    @Test
    void memberThatGetsAllInOrderFromWhereItBeganIsKept() {
        published("e1", "one", "two", "three");
        history.joined("bob", "r", at("e1", 1));
        delivered("e1", 2, "two");
        delivered("e1", 3, "three");
        history.settled();
        assertKept();
    }

    @Test
    void memberWithoutAPositionBeginsAtItsFirstMessage() {
        published("e1", "one", "two", "three");
        history.joined("bob", "r", null);
        delivered("e1", 2, "two");
        delivered("e1", 3, "three");
        history.settled();
        assertKept();
    }

    @Test
    void twoMessagesAtOneOffsetAreReported() {
        published("e1", "one");
        published("e1", "uno");
        assertBroken("r published two messages at " + at("e1", 1));
    }

    @Test
    void ephemeralMessagesAreNotChecked() {
        history.joined("bob", "r", at("e1", 0));
        history.published("r", null, "typing", List.of());
        history.settled();
        assertKept();
        assertEquals(List.of(), history.unreached("r"));
    }

    @Test
    void messageWithoutItsPlaceIsReported() {
        published("e1", "one");
        history.joined("bob", "r", at("e1", 1));
        history.delivered("bob", "r", null, "one");
        assertBroken("bob got one of r without its place");
    }

    @Test
    void messageAtAnothersPlaceIsReported() {
        published("e1", "one", "two");
        history.joined("bob", "r", at("e1", 1));
        delivered("e1", 2, "one");
        assertBroken("bob got one of r at " + at("e1", 2) + ", where two stands");
    }

    @Test
    void messageThatWasNeverPublishedIsReported() {
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 1, "one");
        assertBroken("bob got one of r at " + at("e1", 1) + ", where null stands");
    }

    @Test
    void messageToOneWhoNeverJoinedOrLeftIsReported() {
        published("e1", "one", "two");
        delivered("e1", 1, "one");
        history.joined("bob", "r", at("e1", 1));
        history.left("bob", "r");
        delivered("e1", 2, "two");
        assertBroken("bob got one of r, which it does not read", "bob got two of r, which it does not read");
    }

    @Test
    void messageOfAnotherEpochWithoutAGapIsReported() {
        published("e1", "one");
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 1, "one");
        published("e2", "uno");
        delivered("e2", 1, "uno");
        assertBroken("bob got uno of r at " + at("e2", 1) + " behind " + at("e1", 1) + " without being told of a gap");
    }

    @Test
    void repeatIsReported() {
        published("e1", "one");
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 1, "one");
        delivered("e1", 1, "one");
        assertBroken("bob got one of r at " + at("e1", 1) + " again or too late, behind " + at("e1", 1));
    }

    @Test
    void messageFromBeforeTheBeginningIsReported() {
        published("e1", "one", "two");
        history.joined("bob", "r", at("e1", 2));
        delivered("e1", 1, "one");
        assertEquals(
                List.of("bob got one of r at " + at("e1", 1) + " again or too late, behind " + at("e1", 2)),
                history.broken());
    }

    @Test
    void messageThatWasLeftOutIsReportedAtTheNext() {
        published("e1", "one", "two", "three");
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 1, "one");
        delivered("e1", 3, "three");
        assertBroken("bob got three of r before two at 2");
    }

    @Test
    void firstMessageThatWasLeftOutIsReported() {
        published("e1", "one", "two");
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 2, "two");
        assertBroken("bob got two of r before one at 1");
    }

    @Test
    void lastMessagesThatNeverCameAreReportedInTheEnd() {
        published("e1", "one", "two", "three");
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 1, "one");
        history.settled();
        assertBroken("bob never got two at 2 of r, and was not told");
    }

    @Test
    void missingMessagesAreReportedPerMember() {
        published("e1", "one");
        history.joined("bob", "r", at("e1", 0));
        history.joined("eve", "r", at("e1", 0));
        delivered("e1", 1, "one");
        history.settled();
        assertBroken("eve never got one at 1 of r, and was not told");
    }

    @Test
    void memberThatLeftMissesNothing() {
        published("e1", "one");
        history.joined("bob", "r", at("e1", 0));
        history.left("bob", "r");
        history.settled();
        assertKept();
    }

    @Test
    void whatAMemberMayBeLeftOutOfIsMissingOnlyForOthers() {
        history.joined("bob", "r", at("e1", 0));
        history.joined("eve", "r", at("e1", 0));
        history.published("r", at("e1", 1), "one", List.of("bob"));
        history.published("r", at("e1", 2), "two", List.of());
        history.published("r", at("e1", 3), "three", List.of("bob"));
        delivered("e1", 2, "two");
        history.delivered("eve", "r", at("e1", 2), "two");
        assertBroken("eve got two of r before one at 1");
        history.settled();
        assertBroken("eve got two of r before one at 1", "eve never got three at 3 of r, and was not told");
    }

    @Test
    void whatAMemberMayBeLeftOutOfMayReachItAllTheSame() {
        history.joined("bob", "r", at("e1", 0));
        history.published("r", at("e1", 1), "one", List.of("bob"));
        delivered("e1", 1, "one");
        history.settled();
        assertKept();
    }

    // ---------------------------------------------------------------- epochs

    @Test
    void epochsThatFollowEachOtherAreKeptWhenGapIsReported() {
        published("e1", "one", "two");
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 1, "one");
        published("e2", "uno", "due");
        history.gap("bob", "r", at("e2", 1));
        delivered("e2", 2, "due");
        history.settled();
        assertKept();
    }

    @Test
    void gapWithinEpochExcusesWhatIsBeforeItAndNothingBehind() {
        published("e1", "one", "two", "three", "four");
        history.joined("bob", "r", at("e1", 0));
        history.gap("bob", "r", at("e1", 2));
        delivered("e1", 4, "four");
        assertBroken("bob got four of r before three at 3");
    }

    @Test
    void newerEpochThatMemberWasNotToldOfIsReportedInEnd() {
        published("e1", "one");
        history.joined("bob", "r", at("e1", 0));
        delivered("e1", 1, "one");
        published("e2", "uno");
        history.settled();
        assertBroken("bob was not told that r has another epoch");
    }

    @Test
    void gapToAnEpochWithoutMessagesIsKept() {
        published("e1", "one");
        history.joined("bob", "r", at("e1", 1));
        history.gap("bob", "r", at("e2", 0));
        history.settled();
        assertKept();
    }

    @Test
    void undeliveredMessagesOfTheNewestEpochAreNamedOldestFirst() {
        published("e1", "lost");
        published("e2", "one", "two", "three");
        history.joined("bob", "r", at("e2", 1));
        delivered("e2", 2, "two");
        assertEquals(List.of("one", "three"), history.unreached("r"));
        assertEquals(List.of(), history.unreached("unknown"));
    }

    @Test
    void reportNamesHowManyPromisesWereBrokenAndTheFirstTen() {
        for (int i = 1; i <= 12; i++) {
            history.broken("line " + i + ".");
        }
        AssertionError report = assertThrows(AssertionError.class, history::requireKept);
        String text = String.valueOf(report.getMessage());
        assertTrue(text.startsWith("12 promises broken:") && text.endsWith("line 10."), text);
    }
}
