package io.realtime.spi;

import java.net.URI;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A transport that opens WebSocket connections to a server. Safe for use by many threads. */
public interface ClientTransport {
    /**
     * Begins one attempt to connect, and returns immediately. Exactly one method of the callback is called, once,
     * unless the attempt is cancelled before. It is called on a thread of the transport, never on the caller's stack.
     * The transport sets no deadline for the opening handshake; the caller cancels the attempt.
     */
    Scheduler.Cancellable connect(Target target, Callback callback);

    /**
     * The address and the limits of an attempt.
     *
     * @param uri {@code ws} or {@code wss}; its host may contain underscores, for which {@link URI#getHost} returns
     * null
     * @param headers sent with the upgrade
     * @param subprotocol offered; the attempt fails if the answer does not select it
     * @param messageBytes the longest inbound message, in bytes; a longer one closes the connection with 1009
     * @param outboundBytes how many bytes may wait for the server
     */
    record Target(URI uri, Map<String, String> headers, String subprotocol, int messageBytes, int outboundBytes) {
        private static final Pattern AUTHORITY =
                Pattern.compile("(?:.*@)?(\\[[0-9A-Za-z:.%_~-]+]|[0-9A-Za-z._~-]+)(?::([0-9]{0,5}))?");

        /**
         * Creates a target.
         *
         * @throws IllegalArgumentException if the address names no host, or a port above 65,535
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

        /** Returns the host: a name or an IP address; an IPv6 address is without its brackets. */
        public String host() {
            String host = String.valueOf(authority(uri).group(1));
            return host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
        }

        /** Returns the port; if the address names none, 80, or 443 for {@code wss}. */
        public int port() {
            return port(uri);
        }

        /** Returns the value of the {@code Host} header: the host, and the port unless it is the scheme's default. */
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

        /** Returns the address without its query: query and headers may hold a token. */
        @Override
        public String toString() {
            return uri.getScheme() + "://" + hostHeader() + uri.getRawPath();
        }
    }

    /** The receiver of an attempt's outcome. */
    interface Callback {
        /** Handles a completed upgrade; returns the connection's listener. */
        ConnectionListener connected(Connection connection);

        /**
         * Handles a failed attempt. The message gives the reason for people. If the answer had another status than 101,
         * the cause chain contains an {@link UpgradeException}. If TLS failed, it contains the exception that TLS
         * threw.
         */
        void failed(Exception cause);
    }
}
