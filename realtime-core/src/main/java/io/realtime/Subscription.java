package io.realtime;

/** A registered handler that can be removed. */
@FunctionalInterface
public interface Subscription extends AutoCloseable {
    /**
     * Removes the handler. It is not called again, not even for a message that other handlers are receiving now. Does
     * nothing if called again. Returns immediately, even if the handler is running.
     */
    @Override
    void close();
}
