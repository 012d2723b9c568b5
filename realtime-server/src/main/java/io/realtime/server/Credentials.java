package io.realtime.server;

import io.realtime.spi.Handshake;
import org.jspecify.annotations.Nullable;

/**
 * What a peer presents to be authenticated.
 *
 * @param token from {@code $hello}, {@code $auth}, the {@code Authorization: Bearer} header or the {@code token} query
 *     parameter; null when there is none
 * @param client the id that a managed client has chosen for itself; null when there is none
 * @param handshake the upgrade request: path, query, headers, address
 */
public record Credentials(@Nullable String token, @Nullable String client, Handshake handshake) {
    /** Returns a text without secrets. */
    @Override
    public String toString() {
        return "Credentials{token=" + (token == null ? "none" : "***") + ", handshake=" + handshake + "}";
    }
}
