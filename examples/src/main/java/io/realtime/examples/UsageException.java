package io.realtime.examples;

/** The command line is wrong; the message says how, and ends in what is right. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }
}
