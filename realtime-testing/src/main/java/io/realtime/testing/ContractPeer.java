package io.realtime.testing;

import io.realtime.CloseReason;
import java.io.IOException;

/**
 * The far end of a connection in a {@link ServerTransportContract}: a peer that behaves, unless it is told not to. It
 * answers pings and closes when it reads them, in {@link #next}. For one thread.
 */
public interface ContractPeer {
    /** Sends a text message. */
    void text(String text) throws IOException, InterruptedException;

    /** Sends a binary message. */
    void binary(byte[] payload) throws IOException, InterruptedException;

    /** Sends a ping. */
    void ping() throws IOException;

    /** Begins the closing handshake behind what it sent. */
    void close(CloseReason reason) throws IOException;

    /**
     * Waits for the next that comes: {@code text …}, {@code binary […]}, {@code closed code text}; {@code closed
     * 1006}, and whatever the transport says of it, when the connection broke.
     */
    String next() throws IOException, InterruptedException;

    /** Takes nothing more from the network, so that what is sent waits at the server. */
    void pauseReading();

    /** Takes again what comes. */
    void resumeReading();

    /** Is gone, and nothing says so: it reads, sends and answers nothing any more. */
    void vanish();

    /** Ends the connection without a closing handshake. */
    void cut() throws IOException;
}
