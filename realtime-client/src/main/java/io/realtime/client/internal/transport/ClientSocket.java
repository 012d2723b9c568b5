package io.realtime.client.internal.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.spi.ClientTransport;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * A connected socket, in clear text or with TLS, which Java-WebSocket uses like a plain one. It works around four
 * faults of Java-WebSocket 1.6.0: it does not say when a frame was written, it cannot be stopped before its socket is
 * made, it connects only to the first address of a host, and it blocks when a TLS socket is closed while another thread
 * writes to it.
 */
final class ClientSocket extends Socket {
    /** Finds a host's addresses; blocks. */
    interface Resolver {
        InetAddress[] resolve(String host) throws UnknownHostException;
    }

    private final Resolver resolver;
    private final IntConsumer written;
    private final Dialer dialer = new Dialer(Socket::new, Dialer.STAGGER_MILLIS);
    private final CountDownLatch freed = new CountDownLatch(1);
    private final Object lock = new Object();

    @GuardedBy("lock")
    private @Nullable Socket raw;

    @GuardedBy("lock")
    private boolean cut;
    // The raw socket, or TLS over it.
    private volatile @Nullable Socket stream;

    /** @param written called on the writing thread after each write, with the number of bytes */
    ClientSocket(Resolver resolver, IntConsumer written) {
        this.resolver = resolver;
        this.written = written;
    }

    /**
     * Connects. Blocks until it is connected, or {@link #cut} ends it.
     *
     * @throws IOException when the server cannot be reached or its certificate is not for this host
     */
    void open(ClientTransport.Target target, @Nullable SSLSocketFactory tls) throws IOException {
        String host = target.host();
        Socket connected = dialer.connect(resolver.resolve(host), target.port());
        register(connected);
        connected.setTcpNoDelay(true);
        stream = target.isSecure() ? secure(connected, host, target.port(), tls) : connected;
    }

    private void register(Socket socket) throws IOException {
        boolean isCut;
        // Never held while anything blocks.
        synchronized (lock) {
            isCut = cut;
            raw = socket;
        }
        if (isCut) {
            Dialer.discard(socket);
            throw new SocketException("cancelled");
        }
    }

    private static Socket secure(Socket connected, String host, int port, @Nullable SSLSocketFactory tls)
            throws IOException {
        SSLSocketFactory factory = tls != null ? tls : (SSLSocketFactory) SSLSocketFactory.getDefault();
        SSLSocket socket = (SSLSocket) factory.createSocket(connected, host, port, true);
        SSLParameters parameters = socket.getSSLParameters();
        // Without it any valid certificate would be accepted.
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        return socket;
    }

    /**
     * Ends the connection at once, whatever other threads do with it. Does not block for the peer. Android allows this
     * also on the thread of the user interface, since the socket does not linger.
     */
    void cut() {
        Socket socket;
        synchronized (lock) {
            cut = true;
            socket = raw;
        }
        dialer.cancel();
        if (socket != null) {
            Dialer.discard(socket);
        }
        freed.countDown();
    }

    /** Waits until the connection is {@linkplain #close closed}; cuts it if it is not closed within this time. */
    void cutAfter(long seconds) {
        try {
            freed.await(seconds, TimeUnit.SECONDS);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        } finally {
            cut();
        }
    }

    private Socket stream() throws SocketException {
        Socket open = stream;
        if (open == null) {
            throw new SocketException("not connected");
        }
        return open;
    }

    @Override
    public InputStream getInputStream() throws IOException {
        return stream().getInputStream();
    }

    @Override
    public OutputStream getOutputStream() throws IOException {
        return new FilterOutputStream(stream().getOutputStream()) {
            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                out.write(bytes, offset, length);
                written.accept(length);
            }
        };
    }

    /** Closes with TLS's close message, for which it may block. The library's writing thread ends with this. */
    @Override
    public synchronized void close() throws IOException {
        Socket open = stream;
        try {
            if (open != null) {
                open.close();
            }
        } finally {
            cut();
        }
    }

    @Override
    public boolean isConnected() {
        return stream != null;
    }

    @Override
    public boolean isClosed() {
        Socket open = stream;
        return open != null && open.isClosed();
    }

    @Override
    public SocketAddress getRemoteSocketAddress() {
        Socket open = stream;
        return open == null ? new InetSocketAddress(0) : open.getRemoteSocketAddress();
    }

    @Override
    public SocketAddress getLocalSocketAddress() {
        Socket open = stream;
        return open == null ? new InetSocketAddress(0) : open.getLocalSocketAddress();
    }

    @Override
    public void setTcpNoDelay(boolean on) {} // It is always on.

    @Override
    public void setReuseAddress(boolean on) {} // Has no meaning for a connected socket.
}
