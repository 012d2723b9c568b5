package io.realtime.server.websocket;

import io.realtime.spi.Handshake;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * An HTTP request for an upgrade (RFC 6455 section 4.2.1) and its answers. Immutable.
 *
 * <p>It replaces the library's. Java-WebSocket 1.6.0 joins repeated headers with a semicolon, echoes the client's
 * {@code Connection} header, answers every refusal with 404 and then leaves the connection open.
 */
final class UpgradeRequest {
    private static final String GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    /**
     * Browsers send about 15 headers, and proxies add a few. A parsed header takes at least 100 bytes in addition to
     * its text.
     */
    private static final int MOST_HEADERS = 64;

    /** Strings that most requests contain. Sessions keep their headers, and share these strings. */
    private static final Map<String, String> COMMON = Stream.of(
                    "Host",
                    "Upgrade",
                    "websocket",
                    "Connection",
                    "keep-alive, Upgrade",
                    "Sec-WebSocket-Key",
                    "Sec-WebSocket-Version",
                    "13",
                    "Sec-WebSocket-Protocol",
                    "realtime.v1",
                    "Sec-WebSocket-Extensions",
                    "permessage-deflate; client_max_window_bits",
                    "Origin",
                    "User-Agent",
                    "Accept",
                    "*/*",
                    "Accept-Encoding",
                    "gzip, deflate, br",
                    "gzip, deflate, br, zstd",
                    "Accept-Language",
                    "Cache-Control",
                    "Pragma",
                    "no-cache",
                    "Cookie",
                    "Authorization",
                    "X-Forwarded-For",
                    "X-Forwarded-Host",
                    "X-Forwarded-Proto",
                    "X-Real-IP")
            .collect(Collectors.toUnmodifiableMap(text -> text, text -> text));

    /** The request cannot be upgraded. The message is the reason phrase. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        private final int status;

        Refused(int status, String reason) {
            // Hostile input is normal input, so there is no stack trace.
            super(reason, null, false, false);
            this.status = status;
        }

        /** Returns the HTTP status to answer with. */
        int status() {
            return status;
        }

        /** Returns the reason phrase. */
        String reason() {
            return String.valueOf(getMessage());
        }
    }

    private final String target;
    private final Map<String, String> headers;

    private UpgradeRequest(String target, Map<String, String> headers) {
        this.target = target;
        this.headers = headers;
    }

    /**
     * Parses a whole request head, including its empty line.
     *
     * @throws Refused if it is malformed, has more than 64 headers, or does not ask for an upgrade that this server
     *     supports
     */
    static UpgradeRequest parse(ByteBuffer head) throws Refused {
        String[] lines = StandardCharsets.ISO_8859_1.decode(head).toString().split("\r\n", -1);
        String[] request = lines[0].split(" ", -1);
        boolean isRequest = request.length == 3 && request[1].startsWith("/") && request[2].startsWith("HTTP/");
        if (!isRequest || hasControl(lines[0])) {
            throw new Refused(400, "Bad Request");
        }
        if (!request[0].equals("GET")) {
            throw new Refused(405, "Method Not Allowed");
        }
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (int i = 1; i < lines.length && !lines[i].isEmpty(); i++) {
            if (i > MOST_HEADERS) {
                throw new Refused(431, "Request Header Fields Too Large");
            }
            int colon = lines[i].indexOf(':');
            if (colon <= 0 || !isToken(lines[i].substring(0, colon)) || hasControl(lines[i])) {
                throw new Refused(400, "Bad Request");
            }
            String name = shared(lines[i].substring(0, colon));
            if (name.equalsIgnoreCase("Host") && headers.containsKey(name)) {
                // A repeated Host is refused (RFC 9112 section 3.2).
                throw new Refused(400, "Bad Request");
            }
            headers.merge(name, shared(lines[i].substring(colon + 1).trim()), (a, b) -> a + ", " + b);
        }
        UpgradeRequest parsed = new UpgradeRequest(request[1], headers);
        parsed.check(request[2]);
        return parsed;
    }

    private static String shared(String text) {
        return COMMON.getOrDefault(text, text);
    }

    private void check(String version) throws Refused {
        if (!version.equals("HTTP/1.1")) {
            throw new Refused(505, "HTTP Version Not Supported");
        }
        if (!lists("Upgrade", "websocket") || !lists("Connection", "upgrade")) {
            throw new Refused(426, "Upgrade Required");
        }
        if (!header("Sec-WebSocket-Version").equals("13")) {
            throw new Refused(426, "Upgrade Required");
        }
        if (!isKey(header("Sec-WebSocket-Key")) || !headers.containsKey("Host")) {
            throw new Refused(400, "Bad Request");
        }
    }

    private String header(String name) {
        return headers.getOrDefault(name, "");
    }

    private boolean lists(String name, String wanted) {
        for (String value : header(name).split(",", -1)) {
            if (value.trim().toLowerCase(Locale.ROOT).equals(wanted)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isKey(String key) {
        try {
            return Base64.getDecoder().decode(key).length == 16;
        } catch (IllegalArgumentException noBase64) {
            return false;
        }
    }

    /** Returns whether a header's name consists of letters, digits and permitted marks (RFC 9110 section 5.6.2). */
    private static boolean isToken(String name) {
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            boolean isAlphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!isAlphanumeric && "!#$%&'*+-.^_`|~".indexOf(c) < 0) {
                return false;
            }
        }
        return true;
    }

    private static boolean hasControl(String line) {
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if ((c < ' ' && c != '\t') || c == 0x7F) {
                return true;
            }
        }
        return false;
    }

    /** Returns what the client has sent, for the server's decision. */
    Handshake handshake(InetSocketAddress remote) {
        int question = target.indexOf('?');
        return question < 0
                ? new Handshake(target, "", headers, remote)
                : new Handshake(target.substring(0, question), target.substring(question + 1), headers, remote);
    }

    /**
     * Returns the answer that accepts the upgrade.
     *
     * @param subprotocol the subprotocol of the connection; null for none
     */
    ByteBuffer accept(@Nullable String subprotocol) {
        return ascii("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: " + acceptKey(header("Sec-WebSocket-Key")) + "\r\n"
                + (subprotocol == null ? "" : "Sec-WebSocket-Protocol: " + subprotocol + "\r\n")
                + "\r\n");
    }

    /** Returns an answer that refuses the upgrade. The connection ends after it. */
    static ByteBuffer refusal(int status, String reason) {
        return ascii("HTTP/1.1 " + status + " " + reason.replaceAll("[^\\x20-\\x7E]", "?")
                + "\r\nConnection: close\r\nContent-Length: 0\r\n"
                + (status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "")
                + (status == 405 ? "Allow: GET\r\n" : "")
                + "\r\n");
    }

    private static String acceptKey(String key) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            return Base64.getEncoder().encodeToString(sha1.digest((key + GUID).getBytes(StandardCharsets.US_ASCII)));
        } catch (NoSuchAlgorithmException impossible) {
            // Every Java platform has SHA-1.
            throw new IllegalStateException(impossible);
        }
    }

    private static ByteBuffer ascii(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }
}
