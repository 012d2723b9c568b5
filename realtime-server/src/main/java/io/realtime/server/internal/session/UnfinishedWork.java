package io.realtime.server.internal.session;

import io.realtime.server.internal.execution.Mailbox;
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
 * The work that the application has not finished: handlers and listeners of all sessions, including those that have
 * ended, and answers that are given later. A close waits for it. Safe for use by many threads.
 */
public final class UnfinishedWork {
    // The session whose rule this thread runs.
    private static final ThreadLocal<@Nullable ServerSession> ASKED = new ThreadLocal<>();

    private final Supplier<Collection<ServerSession>> sessions;
    // Sessions that have ended. Each has a task in its mailbox.
    private final Set<ServerSession> ending = ConcurrentHashMap.newKeySet();
    // The answers of all sessions that were begun and not given.
    private final AtomicInteger answers = new AtomicInteger();
    private volatile CompletableFuture<Void> answered = CompletableFuture.completedFuture(null);

    /**
     * @param sessions returns the sessions in the server's tables
     */
    public UnfinishedWork(Supplier<Collection<ServerSession>> sessions) {
        this.sessions = sessions;
    }

    /** Records a session that has ended, until its listener {@linkplain #ended was told of the end}. */
    void ending(ServerSession session) {
        ending.add(session);
    }

    void ended(ServerSession session) {
        ending.remove(session);
    }

    /** Begins an answer that is given later; {@link #endAnswer} ends it. Called in a handler. */
    public void beginAnswer() {
        answers.incrementAndGet();
    }

    public void endAnswer() {
        if (answers.decrementAndGet() == 0) {
            answered.complete(null);
        }
    }

    /** Runs a rule that is asked about a session. The session's mailbox may meanwhile wait for this thread. */
    <T> T askHere(ServerSession session, Supplier<T> rule) {
        ServerSession before = ASKED.get();
        ASKED.set(session);
        try {
            return rule.get();
        } finally {
            ASKED.set(before);
        }
    }

    /** Returns the mailboxes that wait for this thread, because it runs their handler, listener or rule. */
    public Set<Mailbox> here() {
        ServerSession session = ASKED.get();
        Mailbox asked = session == null ? null : session.mailbox();
        Set<Mailbox> here = mailboxes();
        here.removeIf(mailbox -> mailbox != asked && !mailbox.isRunningHere());
        return here;
    }

    private Set<Mailbox> mailboxes() {
        Collection<ServerSession> all = new ArrayList<>(sessions.get());
        all.addAll(ending);
        // A linked set, so that the order is the same in each run of a simulation.
        Set<Mailbox> mailboxes = new LinkedHashSet<>();
        all.forEach(session -> mailboxes.add(session.mailbox()));
        return mailboxes;
    }

    /**
     * Returns a future that completes when each mailbox, except those given, has run the tasks that it has now. It does
     * not wait for later tasks, so a client that continues to send does not delay a close.
     */
    public CompletableFuture<Void> passed(Set<Mailbox> except) {
        CompletableFuture<Void> passed = new CompletableFuture<>();
        // One more until all mailboxes were asked.
        AtomicInteger busy = new AtomicInteger(1);
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

    /** Returns a future that completes as soon as no answer is pending. One caller at a time. */
    public CompletableFuture<Void> answered() {
        CompletableFuture<Void> all = new CompletableFuture<>();
        answered = all;
        if (answers.get() == 0) {
            all.complete(null);
        }
        return all;
    }
}
