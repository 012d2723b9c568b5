package io.realtime.client.internal.connection;

import io.realtime.spi.ClientTransport;
import java.net.URI;
import java.util.Collections;
import java.util.Locale;

/** Checks what an application names for the upgrade request: the address, headers and a fixed token. */
public final class TargetRules {
    private TargetRules() {}

    /**
     * Returns an address with its scheme in lower case.
     *
     * @throws IllegalArgumentException when a client cannot connect to it; the message shows neither user nor query
     */
    public static URI requireAddress(URI server) {
        String scheme = String.valueOf(server.getScheme()).toLowerCase(Locale.ROOT);
        require(String.valueOf(server.getRawAuthority()).indexOf('@') < 0, "the address holds a user; use token");
        // A query may hold a token, so it is not shown.
        String shown = scheme + "://" + server.getRawAuthority() + server.getRawPath();
        require(scheme.equals("ws") || scheme.equals("wss"), "'" + shown + "' does not begin with ws:// or wss://");
        require(server.getRawFragment() == null, "'" + shown + "' has a fragment");
        try {
            new ClientTransport.Target(server, Collections.emptyMap(), "", 0, 0);
        } catch (IllegalArgumentException unfit) {
            throw new IllegalArgumentException("'" + shown + "': " + unfit.getMessage(), unfit);
        }
        return URI.create(scheme + server.toString().substring(scheme.length()));
    }

    /**
     * Checks a header of the upgrade request.
     *
     * @throws IllegalArgumentException when the name is invalid or the upgrade's own, or the value not printable
     */
    public static void requireHeader(String name, String value) {
        String lower = name.toLowerCase(Locale.ROOT);
        require(name.matches("[A-Za-z0-9!#$%&'*+.^_`|~-]+"), "'" + name + "' is not a header name");
        boolean isUpgrades = lower.startsWith("sec-websocket-")
                || lower.equals("host")
                || lower.equals("connection")
                || lower.equals("upgrade");
        require(!isUpgrades, "header '" + name + "' belongs to the upgrade");
        require(isPrintable(value), "the value of header '" + name + "' holds a control character");
    }

    /**
     * Checks a fixed token.
     *
     * @throws IllegalArgumentException when it holds a line break or another control character
     */
    public static void requireToken(String token) {
        require(isPrintable(token), "the token holds a control character");
    }

    private static boolean isPrintable(String text) {
        return text.chars().noneMatch(Character::isISOControl);
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalArgumentException(otherwise);
        }
    }
}
