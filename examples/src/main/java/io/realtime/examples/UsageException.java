package io.realtime.examples;

/** An invalid command line. The message says what is wrong and what would be valid. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }
}
