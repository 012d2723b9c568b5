package io.realtime.client.internal.connection;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The wait that an HTTP answer asks for (RFC 9110 section 10.2.3): seconds, or a date in one of the three forms of
 * section 5.6.7. The day of the week is ignored.
 */
final class RetryAfter {
    private static final Pattern SECONDS = Pattern.compile("0*([0-9]+)");
    private static final int MOST_DIGITS = 9;

    private static final String TIME = "([0-9]{2}:[0-9]{2}:[0-9]{2})";
    private static final Pattern IMF = Pattern.compile("[A-Za-z]+, ([0-9]{2} [A-Za-z]{3} [0-9]{4} " + TIME + " GMT)");
    private static final Pattern RFC_850 =
            Pattern.compile("[A-Za-z]+, ([0-9]{2})-([A-Za-z]{3})-([0-9]{2}) " + TIME + " GMT");
    private static final Pattern ASCTIME =
            Pattern.compile("[A-Za-z]{3} ([A-Za-z]{3}) ([ 0-9][0-9]) " + TIME + " ([0-9]{4})");

    /** How many years ahead a date with a two-digit year may be. */
    private static final int MOST_YEARS = 50;

    private RetryAfter() {}

    /**
     * Returns the wait; zero when there is none, or it cannot be read.
     *
     * @param headers with names in lower case
     */
    static Duration of(Map<String, String> headers, long nowMillis) {
        String value = headers.getOrDefault("retry-after", "");
        Matcher seconds = SECONDS.matcher(value);
        if (seconds.matches()) {
            String digits = seconds.group(1);
            return Duration.ofSeconds(Long.parseLong(digits.length() > MOST_DIGITS ? "999999999" : digits));
        }
        try {
            ZonedDateTime date = ZonedDateTime.parse(imf(value, nowMillis), DateTimeFormatter.RFC_1123_DATE_TIME);
            return Duration.ofMillis(Math.max(0, date.toInstant().toEpochMilli() - nowMillis));
        } catch (DateTimeException unreadable) {
            return Duration.ZERO;
        }
    }

    /** Returns a date in the newest form, without the day of the week. Returns text that is not a date unchanged. */
    private static String imf(String value, long nowMillis) {
        Matcher date = IMF.matcher(value);
        if (date.matches()) {
            return date.group(1);
        }
        date = RFC_850.matcher(value);
        if (date.matches()) {
            int year = year(Integer.parseInt(date.group(3)), nowMillis);
            return date.group(1) + ' ' + date.group(2) + ' ' + year + ' ' + date.group(4) + " GMT";
        }
        date = ASCTIME.matcher(value);
        if (date.matches()) {
            return date.group(2).trim() + ' ' + date.group(1) + ' ' + date.group(4) + ' ' + date.group(3) + " GMT";
        }
        return value;
    }

    /** Returns the latest year that ends with these digits and is not too far ahead. */
    private static int year(int digits, long nowMillis) {
        int most = Instant.ofEpochMilli(nowMillis).atZone(ZoneOffset.UTC).getYear() + MOST_YEARS;
        return most - Math.floorMod(most - digits, 100);
    }
}
