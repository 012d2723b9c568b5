package io.realtime.client.internal.call;

import io.realtime.RealtimeException;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.internal.calls.OpenRequests;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.Scheduler;
import java.util.function.Predicate;

/**
 * The requests and streams of a client, in both directions. They survive a lost connection. What happens to the session
 * and its inbox ends here what cannot be answered any more. Owned by the scheduler's thread, except where a method says
 * otherwise.
 */
public final class ClientCalls {
    private final CallMessages messages;
    private final CreditReports credit;
    private final OutgoingCalls outgoing;
    private final IncomingCalls incoming;

    /**
     * @param name the prefix of this client's requests, unique to it
     * @param connection sends a frame; returns false when there is no connection, or it is full
     * @param onAnswered called on any thread when a handler has answered a request
     */
    public ClientCalls(
            String name,
            Sender sender,
            CallbackDispatcher callbacks,
            Scheduler scheduler,
            Predicate<Outgoing> connection,
            Runnable onAnswered) {
        OpenRequests requests = new OpenRequests(name + "-");
        this.messages = new CallMessages(sender, callbacks, scheduler, onAnswered);
        this.credit = new CreditReports(requests, scheduler, connection);
        this.outgoing = new OutgoingCalls(requests, sender, messages, credit, callbacks, scheduler);
        this.incoming = new IncomingCalls(sender, messages, callbacks, onAnswered);
    }

    /** Returns the calls that the client makes; on any thread. */
    public OutgoingCalls outgoing() {
        return outgoing;
    }

    /** Returns the calls that the server makes; on any thread. */
    public IncomingCalls incoming() {
        return incoming;
    }

    /** Handles the arrival of a frame of the session's inbox. */
    public void arrived(long offset, int length) {
        credit.arrived(offset, length);
    }

    /** Sends what the connection did not take before. */
    public void drained() {
        credit.report();
    }

    /**
     * Handles a new connection: sends again what the server may have missed.
     *
     * @param longestRequest in bytes
     */
    public void welcomed(int longestRequest) {
        credit.welcomed(longestRequest);
    }

    /**
     * Handles the loss of the session; there is a new one. The old session will not answer any more, except for answers
     * that are in the new session's inbox.
     *
     * @param processed up to which number messages are processed
     * @param answers the offset in the new inbox up to which the answers to these are
     * @param inbox where the new inbox begins for this client
     */
    public void sessionLost(long processed, long answers, long inbox) {
        incoming.cancelAllStreams();
        messages.dropLate();
        credit.readFrom(inbox);
        outgoing.sessionLost(processed, answers);
    }

    /** Fails the requests that a lost session will not answer, once its last answers are read. */
    public void settle(long answersRead) {
        outgoing.settle(answersRead);
    }

    /**
     * Handles the loss of a part of the inbox. It may have held the answer to any processed message, and credit for the
     * streams that are produced here. The server has given up all its own requests.
     */
    public void answersLost(long processed, long inbox) {
        incoming.cancelAllStreams();
        credit.readFrom(inbox);
        outgoing.failUnanswered(processed);
        credit.watchRead();
    }

    /** Continues after messages have left the outbox. */
    public void roomAgain() {
        messages.sendLate();
        incoming.roomAgain();
    }

    /** Ends everything: the application has disconnected, or the server does not accept this client. */
    public void fail(RealtimeException why) {
        credit.stop();
        outgoing.failAll(why);
        incoming.cancelStreams();
    }

    /** Ends all requests and answers: they belonged to another user. */
    public void userChanged(RealtimeException why) {
        messages.userChanged();
        fail(why);
        messages.dropLate();
        credit.forget();
    }

    /** Lets the threads of producers end: the client is closed. */
    public void close() {
        incoming.close();
    }

    /**
     * Returns true if all requests of the server whose handlers have begun, except this many, are answered and the
     * answers are in the outbox; on any thread.
     */
    public boolean owesNoMoreThan(int answers) {
        return incoming.owesNoMoreThan(answers);
    }

    /** Returns true if the calling thread runs a request's handler, whose answer cannot come before it returns. */
    public boolean isHandlingHere() {
        return incoming.isHandlingHere();
    }

    /** Returns true if answers wait until the outbox has room; on any thread. */
    public boolean hasLateAnswers() {
        return messages.hasLate();
    }
}
