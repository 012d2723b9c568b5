package io.realtime.examples;

/** A command line that says something impossible; the message says what, and what would be right. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }
}
