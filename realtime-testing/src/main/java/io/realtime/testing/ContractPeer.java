package io.realtime.testing;

import io.realtime.CloseReason;
import java.io.IOException;

/**
 * The far end of a connection in a {@link ServerTransportContract}: a well-behaved peer, unless a test directs
 * otherwise. It answers pings and closes when it reads them, in {@link #next}. For one thread.
 */
public interface ContractPeer {
    /** Sends a text message. */
    void text(String text) throws IOException, InterruptedException;

    /** Sends a binary message. */
    void binary(byte[] payload) throws IOException, InterruptedException;

    /** Sends a ping. */
    void ping() throws IOException;

    /** Begins the closing handshake after everything that it sent. */
    void close(CloseReason reason) throws IOException;

    /**
     * Waits for the next message or the end: {@code text …}, {@code binary […]}, {@code closed code text}. If the
     * connection was lost, returns {@code closed 1006} and any text of the transport.
     */
    String next() throws IOException, InterruptedException;

    /** Stops reading from the network, so that what is sent waits at the server. */
    void pauseReading();

    /** Resumes reading. */
    void resumeReading();

    /** Vanishes without a notice: it reads, sends and answers nothing any more. */
    void vanish();

    /** Ends the connection without a closing handshake. */
    void cut() throws IOException;
}
