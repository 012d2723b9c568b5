package io.realtime.server;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What the application has not finished: handlers and listeners of all sessions, those that have ended included, and the
 * answers that it gives later. A close waits for it. Safe for use by many threads.
 */
final class InFlight {
    private static final ThreadLocal<@Nullable Session> ASKED = new ThreadLocal<>(); // whose rule this thread runs

    private final Supplier<Collection<Session>> sessions;
    private final Set<Session> ending = ConcurrentHashMap.newKeySet(); // each has a task in its mailbox
    private final AtomicInteger answers = new AtomicInteger(); // of all sessions, begun and not given
    private volatile CompletableFuture<Void> answered = CompletableFuture.completedFuture(null);

    /** @param sessions returns those in the server's tables */
    InFlight(Supplier<Collection<Session>> sessions) {
        this.sessions = sessions;
    }

    /** Notes a session that has ended, until its listener {@linkplain #ended has heard of that}. */
    void ending(Session session) {
        ending.add(session);
    }

    void ended(Session session) {
        ending.remove(session);
    }

    /** In a handler: begins an answer that is given later; {@link #endAnswer} ends it. */
    void beginAnswer() {
        answers.incrementAndGet();
    }

    void endAnswer() {
        if (answers.decrementAndGet() == 0) {
            answered.complete(null);
        }
    }

    /** Runs a rule that is asked about a session: while it does, the session's mailbox may wait for this thread. */
    <T> T askHere(Session session, Supplier<T> rule) {
        Session before = ASKED.get();
        ASKED.set(session);
        try {
            return rule.get();
        } finally {
            ASKED.set(before);
        }
    }

    /** Returns the mailboxes that cannot go on before this thread goes on: it runs their handler, listener or rule. */
    Set<Mailbox> here() {
        Session session = ASKED.get();
        Mailbox asked = session == null ? null : session.mailbox();
        Set<Mailbox> here = mailboxes();
        here.removeIf(mailbox -> mailbox != asked && !mailbox.isRunningHere());
        return here;
    }

    private Set<Mailbox> mailboxes() {
        Collection<Session> all = new ArrayList<>(sessions.get());
        all.addAll(ending);
        Set<Mailbox> mailboxes = new LinkedHashSet<>(); // in the same order in each run of a simulation
        all.forEach(session -> mailboxes.add(session.mailbox()));
        return mailboxes;
    }

    /**
     * Returns a future that completes when each mailbox but these has run what it has now. It does not wait for what comes
     * meanwhile: a client that goes on sending holds up no close.
     */
    CompletableFuture<Void> passed(Set<Mailbox> except) {
        CompletableFuture<Void> passed = new CompletableFuture<>();
        AtomicInteger busy = new AtomicInteger(1); // until all are asked
        Runnable done = () -> {
            if (busy.decrementAndGet() == 0) {
                passed.complete(null);
            }
        };
        for (Mailbox mailbox : mailboxes()) {
            if (!except.contains(mailbox)) {
                busy.incrementAndGet();
                mailbox.whenPassed(done);
            }
        }
        done.run();
        return passed;
    }

    /** Returns a future that completes when no answer was still to be given once. One caller at a time. */
    CompletableFuture<Void> answered() {
        CompletableFuture<Void> all = new CompletableFuture<>();
        answered = all;
        if (answers.get() == 0) {
            all.complete(null);
        }
        return all;
    }
}
