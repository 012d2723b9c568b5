package io.realtime.server;

import io.realtime.spi.Handshake;
import org.jspecify.annotations.Nullable;

/**
 * What a peer shows of itself.
 *
 * @param token from {@code $hello}, {@code $auth}, the {@code Authorization: Bearer} header or the {@code token} query
 *     parameter; null when there is none
 * @param client the client instance's own id, in managed mode
 * @param handshake the upgrade request: path, query, headers, address
 */
public record Credentials(@Nullable String token, @Nullable String client, Handshake handshake) {
    /** Names nothing that is secret. */
    @Override
    public String toString() {
        return "Credentials{token=" + (token == null ? "none" : "***") + ", handshake=" + handshake + "}";
    }
}
