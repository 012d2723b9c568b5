package io.realtime.benchmarks;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Many plain WebSocket clients on one thread, the caller's: they answer pings, and some of them ask for echoes at a steady
 * pace. What a reply took counts from when its question was due, not from when it left, so that a server that stalls cannot
 * hide it.
 */
final class LoadPeers implements AutoCloseable {
    private static final int UPGRADING = 200;
    private static final byte[] REQUEST = String.join(
                    "\r\n",
                    "GET /ws HTTP/1.1",
                    "Host: 127.0.0.1",
                    "Upgrade: websocket",
                    "Connection: Upgrade",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "",
                    "")
            .getBytes(StandardCharsets.US_ASCII);
    private static final int PING = 0x9;
    private static final int CLOSE = 0x8;

    private final InetSocketAddress address;
    private final Selector selector = Selector.open();
    private final ByteBuffer read = ByteBuffer.allocateDirect(64 * 1024);
    private final List<Peer> peers = new ArrayList<>();
    private long[] nanos = new long[1 << 16];
    private int replies;
    private int upgraded;
    private int lost;
    private int pings;

    LoadPeers(InetSocketAddress address) throws IOException {
        this.address = address;
    }

    /** One client; it asks one question at a time. */
    private static final class Peer {
        private final SocketChannel socket;
        private byte[] rest = new byte[0];
        private boolean isOpen;
        private long due; // of the question that is on its way; 0 for none

        Peer(SocketChannel socket) {
            this.socket = socket;
        }
    }

    /** Connects more clients, a few at a time, and waits until all are upgraded. */
    void open(int count) throws IOException {
        int goal = upgraded + count;
        int begun = upgraded;
        while (upgraded < goal) {
            while (begun < goal && begun - upgraded < UPGRADING) {
                SocketChannel socket = SocketChannel.open();
                socket.configureBlocking(false);
                socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
                Peer peer = new Peer(socket);
                peers.add(peer);
                socket.register(selector, SelectionKey.OP_CONNECT, peer);
                socket.connect(address);
                begun++;
            }
            turn(100);
            if (lost > 0) {
                throw new IOException("the server turned a connection away when " + upgraded + " were open");
            }
        }
    }

    /**
     * Lets the first clients ask, each at an even pace and all spread evenly, and the rest be idle.
     *
     * @param seconds for how long
     */
    void run(int busy, int perSecond, int seconds) throws IOException {
        long pace = 1_000_000_000L / perSecond;
        long begin = System.nanoTime();
        long end = begin + seconds * 1_000_000_000L;
        long asked = 0; // question number n is due at begin + n * pace / busy
        replies = 0;
        while (true) {
            long now = System.nanoTime();
            if (now >= end) {
                return;
            }
            for (long due = begin + asked * pace / busy; due <= now; due = begin + asked * pace / busy) {
                Peer peer = peers.get((int) (asked % busy));
                asked++;
                if (peer.due == 0 && peer.socket.isOpen()) { // else the one before is not answered yet, and counts
                    peer.due = due;
                    send(
                            peer,
                            0x1,
                            ("{\"type\":\"echo\",\"ref\":\"r\",\"data\":\"" + "x".repeat(64) + "\"}")
                                    .getBytes(StandardCharsets.US_ASCII));
                }
            }
            turn(1);
        }
    }

    private void turn(long millis) throws IOException {
        selector.select(
                key -> {
                    Peer peer = (Peer) key.attachment();
                    try {
                        if (key.isConnectable()) {
                            peer.socket.finishConnect();
                            key.interestOps(SelectionKey.OP_READ);
                            write(peer, ByteBuffer.wrap(REQUEST));
                        } else {
                            receive(peer);
                        }
                    } catch (IOException broken) {
                        lose(peer);
                    }
                },
                millis);
    }

    private void lose(Peer peer) {
        if (peer.socket.isOpen()) {
            lost++;
            try {
                peer.socket.close();
            } catch (IOException unlikely) {
                throw new IllegalStateException(unlikely);
            }
        }
    }

    private void receive(Peer peer) throws IOException {
        read.clear();
        if (peer.socket.read(read) < 0) {
            lose(peer);
            return;
        }
        read.flip();
        byte[] bytes = Arrays.copyOf(peer.rest, peer.rest.length + read.remaining());
        read.get(bytes, peer.rest.length, read.remaining());
        int at = 0;
        if (!peer.isOpen) {
            String head = new String(bytes, StandardCharsets.ISO_8859_1);
            int end = head.indexOf("\r\n\r\n");
            if (end >= 0) {
                if (!head.startsWith("HTTP/1.1 101 ")) {
                    lose(peer);
                    return;
                }
                peer.isOpen = true;
                upgraded++;
                at = end + 4;
            }
        }
        if (peer.isOpen) {
            at = frames(peer, bytes, at);
        }
        peer.rest = Arrays.copyOfRange(bytes, at, bytes.length);
    }

    private int frames(Peer peer, byte[] bytes, int from) throws IOException {
        int at = from;
        while (bytes.length - at >= 2) {
            int header = 2;
            int length = bytes[at + 1] & 0x7F;
            if (length == 126) {
                if (bytes.length - at < 4) {
                    return at;
                }
                header = 4;
                length = ((bytes[at + 2] & 0xFF) << 8) | (bytes[at + 3] & 0xFF);
            }
            if (bytes.length - at < header + length) {
                return at;
            }
            frame(peer, bytes[at] & 0x0F, Arrays.copyOfRange(bytes, at + header, at + header + length));
            at += header + length;
        }
        return at;
    }

    private void frame(Peer peer, int opcode, byte[] payload) throws IOException {
        if (opcode == PING) {
            pings++;
            send(peer, 0xA, payload);
        } else if (opcode == CLOSE) {
            lose(peer);
        } else if (new String(payload, StandardCharsets.UTF_8).contains("\"$reply\"")) {
            if (replies == nanos.length) {
                nanos = Arrays.copyOf(nanos, 2 * nanos.length);
            }
            nanos[replies++] = System.nanoTime() - peer.due;
            peer.due = 0;
        }
    }

    private static void send(Peer peer, int opcode, byte[] payload) throws IOException {
        ByteBuffer frame = ByteBuffer.allocate(8 + payload.length).put((byte) (0x80 | opcode));
        if (payload.length < 126) {
            frame.put((byte) (0x80 | payload.length));
        } else {
            frame.put((byte) (0x80 | 126)).putShort((short) payload.length);
        }
        write(peer, frame.putInt(0).put(payload).flip()); // masked with zeros: as valid, and nothing to compute
    }

    private static void write(Peer peer, ByteBuffer bytes) throws IOException {
        peer.socket.write(bytes);
        if (bytes.hasRemaining()) {
            throw new IOException("a peer that asks one question at a time has filled its socket");
        }
    }

    int replies() {
        return replies;
    }

    int lost() {
        return lost;
    }

    int pings() {
        return pings;
    }

    /** Returns the time below which a share of the replies took, in milliseconds. */
    double millis(double share) {
        long[] sorted = Arrays.copyOf(nanos, replies);
        Arrays.sort(sorted);
        return replies == 0 ? Double.NaN : sorted[(int) Math.min(replies - 1, share * replies)] / 1e6;
    }

    @Override
    public void close() throws IOException {
        for (Peer peer : peers) {
            peer.socket.close();
        }
        selector.close();
    }
}
