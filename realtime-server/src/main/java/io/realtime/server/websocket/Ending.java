package io.realtime.server.websocket;

import io.realtime.CloseReason;
import io.realtime.spi.ConnectionListener;

/**
 * Why a connection ends. The first cause decides.
 *
 * @param byPeer as in {@link ConnectionListener#onClosed}
 */
record Ending(CloseReason reason, boolean byPeer) {
    /** Returns the ending by the peer's close frame. */
    static Ending ofPeer(CloseReason reason) {
        return new Ending(reason, true);
    }

    /** Returns an ending that this side has decided or detected. */
    static Ending local(CloseReason reason) {
        return new Ending(reason, false);
    }

    /** Returns the ending of a connection that ends without a closing handshake. */
    static Ending lost(String why) {
        return local(new CloseReason(CloseReason.ABNORMAL, why));
    }
}
