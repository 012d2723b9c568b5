package io.realtime.server.internal.connection;

import io.realtime.spi.Handshake;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The rule that decides which pages may connect. A browser names the page's origin in {@code Origin} (RFC 6454), which
 * no script can forge. The origin must be on the server's own host, with any scheme and port, or be one that the
 * application has allowed. Other clients may send no {@code Origin}. They are admitted and must authenticate.
 * Immutable.
 */
public final class OriginRule {
    private static final String HOST = "([a-z0-9._-]+|\\[[0-9a-f:.]+])";
    private static final String PORT = "(?::([0-9]{1,5}))?";
    private static final Pattern PAGE = insensitive("(https?)://" + HOST + PORT);
    // The origin of an application's web view.
    private static final Pattern OTHER = insensitive("[a-z][a-z0-9+.-]*://" + HOST + "?" + PORT);
    private static final Pattern AUTHORITY = insensitive(HOST + PORT);

    private final Set<String> allowed;
    private final boolean isAnyAllowed;

    /**
     * @param allowed origins in the form of {@link #canonical}
     */
    public OriginRule(Set<String> allowed, boolean isAnyAllowed) {
        this.allowed = Set.copyOf(allowed);
        this.isAnyAllowed = isAnyAllowed;
    }

    private static Pattern insensitive(String regex) {
        // Only ASCII letters match without case: the Kelvin sign is not a k.
        return Pattern.compile(regex, Pattern.CASE_INSENSITIVE);
    }

    /**
     * Returns an origin as browsers write it: in lower case, without the scheme's default port. Returns null if it is
     * not an origin: the word null, a path, a user, a wildcard, a name that is not in punycode, two origins.
     */
    public static @Nullable String canonical(String origin) {
        Matcher page = PAGE.matcher(origin);
        if (!page.matches()) {
            return OTHER.matcher(origin).matches() ? origin.toLowerCase(Locale.ROOT) : null;
        }
        String scheme = page.group(1).toLowerCase(Locale.ROOT);
        String port = page.group(3);
        boolean isUsual = port == null || port.equals(scheme.equals("https") ? "443" : "80");
        return scheme + "://" + page.group(2).toLowerCase(Locale.ROOT) + (isUsual ? "" : ":" + port);
    }

    public boolean allows(Handshake handshake) {
        String origin = handshake.header("Origin");
        if (origin == null || isAnyAllowed) {
            return true;
        }
        String canonical = canonical(origin);
        return (canonical != null && allowed.contains(canonical)) || isSameHost(origin, handshake.header("Host"));
    }

    private static boolean isSameHost(String origin, @Nullable String authority) {
        Matcher page = PAGE.matcher(origin);
        Matcher server = AUTHORITY.matcher(authority == null ? "" : authority);
        return page.matches() && server.matches() && page.group(2).equalsIgnoreCase(server.group(1));
    }
}
