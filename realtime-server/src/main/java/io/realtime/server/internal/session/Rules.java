package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.server.JoinRule;
import io.realtime.server.Limits;
import io.realtime.server.SendRule;
import io.realtime.server.internal.execution.Pool;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The application's rules. The join rule is asked about the rooms of one request a few at a time, within {@link
 * Limits#ruleTimeout} for all of them. A rule that fails, or has not answered by then, means no. One that fails with a
 * {@link RealtimeException} refuses with its code.
 */
public final class Rules {
    /** For how many rooms of one request the join rule is asked at a time. */
    private static final int AT_ONCE = 32;

    static final ErrorData NO = ErrorData.of(ErrorCode.FORBIDDEN, "joining is not allowed", false);
    static final ErrorData NO_RULE =
            ErrorData.of(ErrorCode.FORBIDDEN, "no rule says who may join: the server has no allowJoin", false);

    private final SessionContext context;
    private final JoinRule.@Nullable Async joinRule;
    private final SendRule sendRule;
    private final SendRule.@Nullable Async lateSendRule;
    private final Pool threads;

    /** @param threads where the join rule is called, which may block */
    public Rules(
            SessionContext context,
            JoinRule.@Nullable Async joinRule,
            SendRule sendRule,
            SendRule.@Nullable Async lateSendRule,
            Pool threads) {
        this.context = context;
        this.joinRule = joinRule;
        this.sendRule = sendRule;
        this.lateSendRule = lateSendRule;
        this.threads = threads;
    }

    /**
     * Returns those of these rooms that the session may not join, and the errors that say why. Each room is named once.
     * Completes on any thread.
     */
    public CompletableFuture<Map<String, ErrorData>> forbidden(ServerSession session, Collection<String> rooms) {
        JoinRule.Async rule = joinRule;
        return rule == null || rooms.isEmpty()
                ? CompletableFuture.completedFuture(all(rooms, NO_RULE))
                : new RoomsCheck(session, rule, rooms).ask();
    }

    private static Map<String, ErrorData> all(Collection<String> rooms, ErrorData error) {
        Map<String, ErrorData> all = new HashMap<>();
        rooms.forEach(room -> all.put(room, error));
        return all;
    }

    /** Returns whether {@link #maySendLater} must be asked instead of {@link #maySend}. */
    public boolean sendsLater() {
        return lateSendRule != null;
    }

    public boolean maySend(ServerSession session, Event<?> event, String room) {
        return sendRule.allows(session, event, room);
    }

    /** Returns why the session may not send to the room; null if it may. Completes on any thread. */
    public CompletableFuture<@Nullable ErrorData> maySendLater(ServerSession session, Event<?> event, String room) {
        String what = "the send rule for '" + event.name() + "' to room '" + Names.abbreviate(room) + "'";
        SendRule.Async rule = Objects.requireNonNull(lateSendRule);
        ErrorData no = sendRefusal(event, room);
        CompletableFuture<@Nullable ErrorData> answer = ask(session, what, no, () -> rule.allows(session, event, room));
        if (!answer.isDone()) {
            within(answer, () -> {
                if (answer.complete(no)) {
                    late(session, what);
                }
            });
        }
        return answer;
    }

    /** Returns whether the join rule has said no, and nothing more. */
    public static boolean isPlain(ErrorData refusal) {
        return refusal.equals(NO) || refusal.equals(NO_RULE);
    }

    /** Returns the error for a message that the send rule does not allow. */
    public static ErrorData sendRefusal(Event<?> event, String room) {
        String why = "sending '" + event.name() + "' to room '" + Names.abbreviate(room) + "' is not allowed";
        return ErrorData.of(ErrorCode.FORBIDDEN, why, false);
    }

    private void within(CompletableFuture<?> result, Runnable late) {
        Duration timeout = context.limits().ruleTimeout();
        Scheduler.Cancellable timer = context.scheduler().schedule(timeout, late);
        CompletableFuture<?> unused = result.whenComplete((value, failure) -> timer.cancel());
    }

    private void late(ServerSession session, String what) {
        context.log()
                .warn(
                        "{}: {} did not answer within {}: it counts as a no",
                        session,
                        what,
                        context.limits().ruleTimeout());
    }

    /**
     * Calls a rule. A failure that is no refusal is reported, and means no.
     *
     * @return completes with null for yes, else with the error that says why not
     */
    private CompletableFuture<@Nullable ErrorData> ask(
            ServerSession session, String what, ErrorData no, Supplier<CompletionStage<Boolean>> rule) {
        CompletableFuture<@Nullable ErrorData> answer = new CompletableFuture<>();
        try {
            Steps.whenComplete(context.inFlight().askHere(session, rule), (yes, failure) -> {
                if (failure != null) {
                    refuse(answer, session, what, no, failure);
                } else {
                    answer.complete(yes != null && yes ? null : no);
                }
            });
        } catch (Throwable failure) {
            // An Error, too, must not leave the request without an answer.
            refuse(answer, session, what, no, failure);
        }
        return answer;
    }

    private void refuse(
            CompletableFuture<@Nullable ErrorData> answer,
            ServerSession session,
            String what,
            ErrorData no,
            Throwable failure) {
        ErrorData refusal = ErrorData.refusal(failure);
        answer.complete(refusal == null ? no : refusal);
        if (refusal == null) {
            context.report(session, what + " failed", failure);
        }
    }

    /** The rooms of one request, which a few workers ask the rule about. */
    private final class RoomsCheck {
        private final ServerSession session;
        private final JoinRule.Async rule;
        private final CompletableFuture<Map<String, ErrorData>> result = new CompletableFuture<>();
        private final int most;
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private final Queue<String> unasked;

        // Rooms that are forbidden or not answered yet.
        @GuardedBy("lock")
        private final Map<String, ErrorData> forbidden;

        @GuardedBy("lock")
        private int unanswered;

        RoomsCheck(ServerSession session, JoinRule.Async rule, Collection<String> rooms) {
            this.session = session;
            this.rule = rule;
            this.most = Math.min(AT_ONCE, rooms.size());
            this.unasked = new ArrayDeque<>(rooms);
            this.forbidden = all(rooms, NO);
            this.unanswered = rooms.size();
        }

        CompletableFuture<Map<String, ErrorData>> ask() {
            within(result, this::late);
            List<Pool.Ticket> workers = new ArrayList<>();
            for (int count = most; count > 0; count--) {
                workers.add(threads.execute(session.userId(), this::work));
            }
            // Rules may hold the threads for longer than the request lasts.
            CompletableFuture<?> unused =
                    result.whenComplete((forbidden, never) -> workers.forEach(Pool.Ticket::cancel));
            return result;
        }

        /** Asks about one room after the other. While an answer is awaited it holds no thread, and continues later. */
        private void work() {
            String room;
            while ((room = next()) != null) {
                String asked = room;
                String what = "the join rule for room '" + Names.abbreviate(asked) + "'";
                CompletableFuture<@Nullable ErrorData> answer =
                        Rules.this.ask(session, what, NO, () -> rule.allows(session, asked));
                if (!answer.isDone()) {
                    CompletableFuture<?> unused = answer.thenAccept(error -> {
                        answered(asked, error);
                        if (!result.isDone()) {
                            threads.execute(session.userId(), this::work);
                        }
                    });
                    return;
                }
                answered(asked, answer.join());
            }
        }

        private @Nullable String next() {
            lock.lock();
            try {
                return result.isDone() ? null : unasked.poll();
            } finally {
                lock.unlock();
            }
        }

        private void answered(String room, @Nullable ErrorData error) {
            Map<String, ErrorData> all;
            lock.lock();
            try {
                if (error == null) {
                    forbidden.remove(room);
                } else {
                    forbidden.put(room, error);
                }
                unanswered--;
                all = unanswered == 0 ? new HashMap<>(forbidden) : null;
            } finally {
                lock.unlock();
            }
            if (all != null) {
                result.complete(all);
            }
        }

        private void late() {
            Map<String, ErrorData> rest;
            int missing;
            lock.lock();
            try {
                rest = new HashMap<>(forbidden);
                missing = unanswered;
            } finally {
                lock.unlock();
            }
            if (result.complete(rest)) {
                Rules.this.late(session, "the join rule for " + missing + " rooms");
            }
        }
    }
}
