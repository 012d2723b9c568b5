package io.realtime.spi;

import java.net.URI;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Opens WebSocket connections to a server. Safe for use by many threads. */
public interface ClientTransport {
    /**
     * Begins one attempt and returns at once. Exactly one method of the callback is called, once, unless the attempt is
     * cancelled before; it is called on a thread of the transport and never on the caller's stack. The transport sets
     * no deadline of its own for the opening handshake: the caller cancels.
     */
    Scheduler.Cancellable connect(Target target, Callback callback);

    /**
     * Where to and how.
     *
     * @param uri {@code ws} or {@code wss}; its host may hold underscores, for which {@link URI#getHost} returns null
     * @param headers sent with the upgrade
     * @param subprotocol offered; an answer that does not select it fails the attempt
     * @param messageBytes the longest inbound message; beyond it the connection closes with 1009
     * @param outboundBytes how much may wait for the server
     */
    record Target(URI uri, Map<String, String> headers, String subprotocol, int messageBytes, int outboundBytes) {
        private static final Pattern AUTHORITY =
                Pattern.compile("(?:.*@)?(\\[[0-9A-Za-z:.%_~-]+]|[0-9A-Za-z._~-]+)(?::([0-9]{0,5}))?");

        /**
         * A target.
         *
         * @throws IllegalArgumentException when the address names no host, or a port beyond 65,535
         */
        public Target {
            int port = port(uri);
            if (port > 0xFFFF) {
                throw new IllegalArgumentException("port " + port + " is beyond 65535");
            }
        }

        /** Returns whether the connection is encrypted. */
        public boolean isSecure() {
            return isSecure(uri);
        }

        /** Returns the host: a name, or an IP address; one of IPv6 without its brackets. */
        public String host() {
            String host = String.valueOf(authority(uri).group(1));
            return host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
        }

        /** Returns the port; 80, or 443 for {@code wss}, when the address names none. */
        public int port() {
            return port(uri);
        }

        /** Returns the host, and the port unless it is the scheme's own, as the {@code Host} header names them. */
        public String hostHeader() {
            String host = String.valueOf(authority(uri).group(1));
            return port() == (isSecure() ? 443 : 80) ? host : host + ":" + port();
        }

        private static boolean isSecure(URI uri) {
            return "wss".equals(String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT));
        }

        private static int port(URI uri) {
            String port = authority(uri).group(2);
            return port == null || port.isEmpty() ? isSecure(uri) ? 443 : 80 : Integer.parseInt(port);
        }

        private static Matcher authority(URI uri) {
            Matcher matcher = AUTHORITY.matcher(String.valueOf(uri.getRawAuthority()));
            if (uri.getRawAuthority() == null || !matcher.matches()) {
                throw new IllegalArgumentException("'" + uri.getScheme() + ":' names no host");
            }
            return matcher;
        }

        /** Names the address without its query: query and headers may hold a token. */
        @Override
        public String toString() {
            return uri.getScheme() + "://" + hostHeader() + uri.getRawPath();
        }
    }

    /** The outcome of an attempt. */
    interface Callback {
        /** The upgrade is done; returns who listens to the connection. */
        ConnectionListener connected(Connection connection);

        /**
         * There is no connection; the message says why, for people. Among the cause and its causes is an {@link
         * UpgradeException} when another answer came than 101, and what TLS threw when it was that.
         */
        void failed(Exception cause);
    }
}
