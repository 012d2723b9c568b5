package io.realtime.server;

import io.realtime.Event;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
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
 * Asks the application's rules: about the rooms of one question a few at a time, within {@link Limits#ruleTimeout}
 * for all of them. What is not answered by then, or answered by a failure, is not allowed.
 */
final class Rules {
    /** How many rooms of one question the join rule is asked about at a time. */
    private static final int AT_ONCE = 32;

    private final ServerCore core;
    private final JoinRule.@Nullable Async joinRule;
    private final SendRule sendRule;
    private final SendRule.@Nullable Async lateSendRule;
    private final Pool threads;

    /** @param threads call the join rule, which may block */
    Rules(
            ServerCore core,
            JoinRule.@Nullable Async joinRule,
            SendRule sendRule,
            SendRule.@Nullable Async lateSendRule,
            Pool threads) {
        this.core = core;
        this.joinRule = joinRule;
        this.sendRule = sendRule;
        this.lateSendRule = lateSendRule;
        this.threads = threads;
    }

    boolean hasJoinRule() {
        return joinRule != null;
    }

    /** Returns which of these rooms, each named once, the session may not join. Completes on any thread. */
    CompletableFuture<Set<String>> forbidden(Session session, Collection<String> rooms) {
        JoinRule.Async rule = joinRule;
        return rule == null || rooms.isEmpty()
                ? CompletableFuture.completedFuture(Set.copyOf(rooms))
                : new Question(session, rule, rooms).ask();
    }

    /** Returns whether {@link #maySendLater} has to say what {@link #maySend} cannot. */
    boolean sendsLater() {
        return lateSendRule != null;
    }

    boolean maySend(Session session, Event<?> event, String room) {
        return sendRule.allows(session, event, room);
    }

    /** Returns whether the session may send to the room. Completes on any thread. */
    CompletableFuture<Boolean> maySendLater(Session session, Event<?> event, String room) {
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
        Duration timeout = core.limits().ruleTimeout();
        Scheduler.Cancellable timer = core.scheduler().schedule(timeout, late);
        CompletableFuture<?> unused = result.whenComplete((value, failure) -> timer.cancel());
    }

    private void late(Session session, String what) {
        core.log()
                .warn(
                        "{}: {} did not answer within {}: it counts as a no",
                        session,
                        what,
                        core.limits().ruleTimeout());
    }

    /** Calls a rule; a failure is reported, and is a no. */
    private CompletableFuture<Boolean> ask(Session session, String what, Supplier<CompletionStage<Boolean>> rule) {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        try {
            Steps.whenComplete(core.inFlight().askHere(session, rule), (yes, failure) -> {
                answer.complete(failure == null && yes != null && yes);
                if (failure != null) {
                    core.report(session, what + " failed", failure);
                }
            });
        } catch (Throwable failure) { // an Error, too, has the asker answered
            answer.complete(false);
            core.report(session, what + " failed", failure);
        }
        return answer;
    }

    /** One question about many rooms, asked by a few workers. */
    private final class Question {
        private final Session session;
        private final JoinRule.Async rule;
        private final CompletableFuture<Set<String>> result = new CompletableFuture<>();
        private final ReentrantLock lock = new ReentrantLock(); // guards all that follows
        private final Queue<String> unasked;
        private final Set<String> forbidden; // or not answered yet
        private int unanswered;

        Question(Session session, JoinRule.Async rule, Collection<String> rooms) {
            this.session = session;
            this.rule = rule;
            this.unasked = new ArrayDeque<>(rooms);
            this.forbidden = new HashSet<>(rooms);
            this.unanswered = rooms.size();
        }

        CompletableFuture<Set<String>> ask() {
            within(result, this::late);
            List<Pool.Ticket> workers = new ArrayList<>();
            for (int count = Math.min(AT_ONCE, unanswered); count > 0; count--) {
                workers.add(threads.execute(session.userId(), this::work));
            }
            CompletableFuture<?> unused = result.whenComplete((forbidden, never) -> workers.forEach(
                    Pool.Ticket::cancel)); // rules may hold the threads for longer than a question lasts
            return result;
        }

        /** Asks about one room after the other; goes on later, on no thread meanwhile, while an answer is awaited. */
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
