package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.Event;
import io.realtime.internal.Steps;
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
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The application's rules. The join rule is asked about the rooms of one request a few at a time, within {@link
 * Limits#ruleTimeout} for all of them. A rule that fails, or has not answered by then, means no.
 */
public final class Rules {
    /** For how many rooms of one request the join rule is asked at a time. */
    private static final int AT_ONCE = 32;

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

    boolean hasJoinRule() {
        return joinRule != null;
    }

    /** Returns those of these rooms that the session may not join. Each room is named once. Completes on any thread. */
    public CompletableFuture<Set<String>> forbidden(ServerSession session, Collection<String> rooms) {
        JoinRule.Async rule = joinRule;
        return rule == null || rooms.isEmpty()
                ? CompletableFuture.completedFuture(Set.copyOf(rooms))
                : new RoomsCheck(session, rule, rooms).ask();
    }

    /** Returns whether {@link #maySendLater} must be asked instead of {@link #maySend}. */
    public boolean sendsLater() {
        return lateSendRule != null;
    }

    public boolean maySend(ServerSession session, Event<?> event, String room) {
        return sendRule.allows(session, event, room);
    }

    /** Returns whether the session may send to the room. Completes on any thread. */
    public CompletableFuture<Boolean> maySendLater(ServerSession session, Event<?> event, String room) {
        String what = "the send rule for '" + event.name() + "' to room '" + Names.abbreviate(room) + "'";
        SendRule.Async rule = Objects.requireNonNull(lateSendRule);
        CompletableFuture<Boolean> answer = ask(session, what, () -> rule.allows(session, event, room));
        if (!answer.isDone()) {
            within(answer, () -> {
                if (answer.complete(false)) {
                    late(session, what);
                }
            });
        }
        return answer;
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

    /** Calls a rule. A failure is reported, and means no. */
    private CompletableFuture<Boolean> ask(
            ServerSession session, String what, Supplier<CompletionStage<Boolean>> rule) {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        try {
            Steps.whenComplete(context.inFlight().askHere(session, rule), (yes, failure) -> {
                answer.complete(failure == null && yes != null && yes);
                if (failure != null) {
                    context.report(session, what + " failed", failure);
                }
            });
        } catch (Throwable failure) {
            // An Error, too, must not leave the request without an answer.
            answer.complete(false);
            context.report(session, what + " failed", failure);
        }
        return answer;
    }

    /** The rooms of one request, which a few workers ask the rule about. */
    private final class RoomsCheck {
        private final ServerSession session;
        private final JoinRule.Async rule;
        private final CompletableFuture<Set<String>> result = new CompletableFuture<>();
        private final int most;
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private final Queue<String> unasked;

        // Rooms that are forbidden or not answered yet.
        @GuardedBy("lock")
        private final Set<String> forbidden;

        @GuardedBy("lock")
        private int unanswered;

        RoomsCheck(ServerSession session, JoinRule.Async rule, Collection<String> rooms) {
            this.session = session;
            this.rule = rule;
            this.most = Math.min(AT_ONCE, rooms.size());
            this.unasked = new ArrayDeque<>(rooms);
            this.forbidden = new HashSet<>(rooms);
            this.unanswered = rooms.size();
        }

        CompletableFuture<Set<String>> ask() {
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
                CompletableFuture<Boolean> answer = Rules.this.ask(session, what, () -> rule.allows(session, asked));
                if (!answer.isDone()) {
                    CompletableFuture<?> unused = answer.thenAccept(yes -> {
                        answered(asked, yes);
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

        private void answered(String room, boolean yes) {
            Set<String> all;
            lock.lock();
            try {
                if (yes) {
                    forbidden.remove(room);
                }
                unanswered--;
                all = unanswered == 0 ? new HashSet<>(forbidden) : null;
            } finally {
                lock.unlock();
            }
            if (all != null) {
                result.complete(all);
            }
        }

        private void late() {
            Set<String> rest;
            int missing;
            lock.lock();
            try {
                rest = new HashSet<>(forbidden);
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
