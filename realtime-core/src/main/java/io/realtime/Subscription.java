package io.realtime;

/** A registered handler, and the way to take it back. */
@FunctionalInterface
public interface Subscription extends AutoCloseable {
    /**
     * Removes the handler: it is not called again, not even for a message that is being handed to others at this
     * moment. Does nothing the second time. Returns immediately, also while the handler runs.
     */
    @Override
    void close();
}
