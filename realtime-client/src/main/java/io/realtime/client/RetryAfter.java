package io.realtime.client;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Map;

/** How long an HTTP answer asks to wait (RFC 9110 section 10.2.3): seconds, or a date. */
final class RetryAfter {
    private static final int MOST_DIGITS = 9;

    private RetryAfter() {}

    /**
     * Returns the wait; zero when there is none, or it cannot be read.
     *
     * @param headers their names in lower case
     */
    static Duration of(Map<String, String> headers, long nowMillis) {
        String value = headers.getOrDefault("retry-after", "");
        if (value.matches("[0-9]{1," + MOST_DIGITS + "}")) {
            return Duration.ofSeconds(Long.parseLong(value));
        }
        try {
            ZonedDateTime date = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME);
            return Duration.ofMillis(Math.max(0, date.toInstant().toEpochMilli() - nowMillis));
        } catch (DateTimeException unreadable) {
            return Duration.ZERO;
        }
    }
}
