package io.realtime.server.websocket;

import io.realtime.CloseReason;
import io.realtime.spi.ConnectionListener;

/**
 * Why a connection ends, decided once, by the first that knows.
 *
 * @param byPeer as in {@link ConnectionListener#onClosed}
 */
public record Ending(CloseReason reason, boolean byPeer) {
    /** The peer's close frame. */
    public static Ending ofPeer(CloseReason reason) {
        return new Ending(reason, true);
    }

    /** What this side decided or found. */
    public static Ending local(CloseReason reason) {
        return new Ending(reason, false);
    }

    /** A connection that ends without a closing handshake. */
    public static Ending lost(String why) {
        return local(new CloseReason(CloseReason.ABNORMAL, why));
    }
}
