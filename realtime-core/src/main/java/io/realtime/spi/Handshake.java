package io.realtime.spi;

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The request of a client for the upgrade.
 *
 * @param path the request's path without the query, percent-encoded as received
 * @param query the raw query, without the question mark; empty if there is none
 * @param headers by name, case-insensitive; a header that was received twice holds both values, joined by a comma
 * @param remote the peer's address
 */
public record Handshake(String path, String query, Map<String, String> headers, InetSocketAddress remote) {
    /** Creates a handshake; the headers are copied. */
    public Handshake {
        headers = Headers.copyOf(headers);
    }

    /** Returns a header's value, or null if the header is absent. The name is case-insensitive. */
    public @Nullable String header(String name) {
        return headers.get(name);
    }

    /** Returns the subprotocols that the client offers, in its order of preference; empty if it offers none. */
    public List<String> subprotocols() {
        String offered = headers.get("Sec-WebSocket-Protocol");
        if (offered == null) {
            return Collections.emptyList();
        }
        List<String> names = new ArrayList<>();
        for (String name : offered.split(",", -1)) {
            if (!name.trim().isEmpty()) {
                names.add(name.trim());
            }
        }
        return Collections.unmodifiableList(names);
    }

    /** Returns the path and the peer only: query and headers may hold a token. */
    @Override
    public String toString() {
        return "Handshake{path=" + path + ", remote=" + remote + "}";
    }
}
