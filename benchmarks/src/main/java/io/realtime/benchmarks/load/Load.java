package io.realtime.benchmarks.load;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.realtime.benchmarks.load.Dialect.Operation;
import io.realtime.benchmarks.load.Dialect.Template;
import io.realtime.internal.websocket.FrameException;
import io.realtime.internal.websocket.FrameHeader;
import io.realtime.internal.websocket.FrameWriter;
import io.realtime.internal.websocket.Opcode;
import io.realtime.internal.websocket.Role;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * Many clients of one server on one thread, the caller's. They connect from several loopback addresses, answer pings,
 * and publish or request echoes. Each message of the load contains the time from which its latency counts. At a steady
 * pace that is when it was due, not when it was sent, so a server that stalls cannot hide it. Each delivery is counted,
 * and a run fails if one is missing or arrives twice.
 */
public final class Load implements AutoCloseable {
    // Written twice, before the time in 16 hexadecimal digits.
    private static final byte MARK = '#';
    private static final int STAMPED = 18;
    private static final int UPGRADING = 256;
    private static final int ADDRESSES = 8;
    private static final long STALLED = Duration.ofSeconds(20).toNanos();
    private static final byte[] HEX = "0123456789abcdef".getBytes(US_ASCII);
    // The key of masks that change nothing: valid, and without computation.
    private static final int UNMASKED = 0;

    private final InetSocketAddress server;
    private final Dialect dialect;
    private final IntFunction<String> tokens;
    private final Supplier<Duration> serverCpu;
    // Makes the ids of clients differ from those of another load.
    private final String name = Long.toHexString(System.nanoTime()) + "-";
    private final Selector selector = Selector.open();
    private final byte[] read = new byte[1 << 20];
    private final ByteBuffer write = ByteBuffer.allocate(1 << 18);
    private final FrameHeader header = new FrameHeader(Role.CLIENT);
    private final List<Client> clients = new ArrayList<>();
    private Receiver receiver = (from, stamp, now) -> {};
    // Whether each client's position is recorded.
    private boolean isTracking;

    // Set while sessions come back.
    private boolean isReturning;
    private int ready;
    private int lost;
    private int pings;
    // When the last message of the load arrived, or the last client became ready.
    private long heard;

    /**
     * Creates a load without clients.
     *
     * @param tokens returns a client's token, by its number; used if the dialect sends one
     * @param serverCpu returns how much processor time the server has used
     */
    public Load(InetSocketAddress server, Dialect dialect, IntFunction<String> tokens, Supplier<Duration> serverCpu)
            throws IOException {
        this.server = server;
        this.dialect = dialect;
        this.tokens = tokens;
        this.serverCpu = serverCpu;
    }

    /** The result of a run. */
    public record Outcome(long messages, double seconds, double cpuSeconds, Histogram nanos) {
        public double perSecond() {
            return messages / seconds;
        }

        public double cpuPerMillion() {
            return cpuSeconds * 1e6 / messages;
        }

        public double micros(double percentile) {
            return nanos.getValueAtPercentile(percentile) / 1e3;
        }
    }

    @FunctionalInterface
    private interface Receiver {
        void message(Client from, long stamp, long now) throws IOException;
    }

    private static final class Client {
        private final int number;
        private final SocketChannel socket;
        private final SelectionKey key;
        private byte[] rest = new byte[0];
        private byte[] unsent = new byte[0];
        private boolean isUpgraded;
        private boolean isReady;
        // By a probe.
        private boolean isReached;
        private boolean isReading = true;
        // The session to resume, if the dialect has sessions.
        private String session = "";
        // The position in the group, if the dialect has positions.
        private String position = "";
        private long sent;
        // When the request in flight at a steady pace was due; 0 for none.
        private long due;

        Client(int number, SocketChannel socket, Selector selector) throws IOException {
            this.number = number;
            this.socket = socket;
            this.key = socket.register(selector, SelectionKey.OP_CONNECT, this);
        }
    }

    // ---------------------------------------------------------------- connecting

    /** Connects more clients, some at a time. Returns how many became ready per second. */
    public double open(int count) throws IOException {
        long begin = System.nanoTime();
        int goal = ready + count;
        heard = begin;
        while (ready < goal) {
            while (clients.size() < goal && clients.size() - ready < UPGRADING) {
                clients.add(connect(clients.size(), "", ""));
            }
            turn(100);
            if (lost > 0) {
                throw new IOException("the server turned a client away when " + ready + " were ready");
            }
            failIfStalled("of " + count + " clients " + ready + " are ready");
        }
        return count * 1e9 / (System.nanoTime() - begin);
    }

    private Client connect(int number, String session, String position) throws IOException {
        SocketChannel socket = SocketChannel.open();
        socket.configureBlocking(false);
        socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
        if (server.getAddress().isLoopbackAddress()) {
            // One address does not have enough ports for all.
            socket.bind(new InetSocketAddress("127.0.0." + (1 + number % ADDRESSES), 0));
        }
        Client client = new Client(number, socket, selector);
        client.session = session;
        client.position = position;
        socket.connect(server);
        return client;
    }

    private void connected(Client client) throws IOException {
        client.socket.finishConnect();
        client.key.interestOps(SelectionKey.OP_READ);
        String request = "GET " + dialect.path(tokens.apply(client.number))
                + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + dialect.header() + "\r\n";
        write.put(request.getBytes(US_ASCII));
        flush(client);
    }

    private void upgraded(Client client) {
        client.isUpgraded = true;
        String hello =
                dialect.hello(name + client.number, tokens.apply(client.number), client.session, client.position);
        if (hello != null) {
            put(Opcode.TEXT, hello.getBytes(UTF_8));
        } else if (dialect == Dialect.RAW) {
            becomeReady(client);
        }
    }

    private void becomeReady(Client client) {
        if (!client.isReady) {
            client.isReady = true;
            ready++;
            heard = System.nanoTime();
        }
    }

    /** Puts all but the first client in the group, and waits until a message has reached each of them. */
    public void joinAllButFirst() throws IOException {
        List<Client> members = clients.subList(1, clients.size());
        for (Client member : members) {
            put(member, dialect.template(Operation.JOIN), 0, 0);
            flush(member);
        }
        probe(members, Operation.PUBLISH, List.of(clients.get(0)));
    }

    private void probe(List<Client> reached, Operation operation, List<Client> askers) throws IOException {
        receiver = (from, stamp, now) -> from.isReached = true;
        reached.forEach(client -> client.isReached = false);
        heard = System.nanoTime();
        long next = 0;
        while (!reached.stream().allMatch(client -> client.isReached)) {
            if (System.nanoTime() - next > 0) {
                for (Client asker : askers) {
                    put(asker, dialect.template(operation), STAMPED, 0);
                    flush(asker);
                }
                next = System.nanoTime() + 200_000_000;
            }
            turn(10);
            failIfStalled("not every client is reached");
        }
        receiver = (from, stamp, now) -> {};
        do {
            // Waits until the last probe has arrived.
            heard = System.nanoTime();
            turn(200);
        } while (System.nanoTime() - heard < 100_000_000);
    }

    // ---------------------------------------------------------------- fan-out

    /**
     * Publishes from the first client to all others, with this many publishes outstanding.
     *
     * @param bytes the size of the payload
     */
    public Outcome fanOut(int bytes, int outstanding, Duration time) throws IOException {
        int members = members();
        Template template = dialect.template(Operation.PUBLISH);
        Client publisher = clients.get(0);
        long[] received = new long[1];
        Histogram nanos = histogram();
        receiver = counting(received, nanos);
        heard = System.nanoTime();
        Measure measure = new Measure(time, nanos);
        long published = 0;
        while (!measure.isOver(received[0])) {
            while (published - received[0] / members < outstanding) {
                put(publisher, template, bytes, System.nanoTime());
                published++;
            }
            flush(publisher);
            turn(100);
            failIfStalled("of " + published * members + " deliveries " + received[0] + " came");
        }
        settle(published * members, received);
        return measure.outcome();
    }

    /** Publishes from the first client to all others at an even pace, whatever the server does. */
    public Outcome fanOutPaced(int bytes, double publishesPerSecond, Duration time) throws IOException {
        int members = members();
        Template template = dialect.template(Operation.PUBLISH);
        Client publisher = clients.get(0);
        long[] received = new long[1];
        Histogram nanos = histogram();
        receiver = counting(received, nanos);
        heard = System.nanoTime();
        Measure measure = new Measure(time, nanos);
        double pace = 1e9 / publishesPerSecond;
        long begin = System.nanoTime();
        long published = 0;
        while (!measure.isOver(received[0])) {
            long due = begin + (long) (published * pace);
            if (due - System.nanoTime() <= 0) {
                put(publisher, template, bytes, due);
                flush(publisher);
                published++;
            } else {
                turn(Math.max(0, (due - System.nanoTime()) / 1_000_000 - 1));
            }
            failIfStalled("of " + published * members + " deliveries " + received[0] + " came");
        }
        settle(published * members, received);
        return measure.outcome();
    }

    private static Receiver counting(long[] received, Histogram nanos) {
        return (from, stamp, now) -> {
            received[0]++;
            nanos.recordValue(now - stamp);
        };
    }

    private void settle(long expected, long[] received) throws IOException {
        heard = System.nanoTime();
        while (received[0] < expected) {
            turn(100);
            failIfStalled("of " + expected + " messages " + received[0] + " came");
        }
        turn(50);
        if (received[0] != expected) {
            throw new IOException(received[0] - expected + " messages came that nobody sent");
        }
        receiver = (from, stamp, now) -> {};
    }

    /** Makes a client stop reading. Nothing is expected for it any more. */
    public void stopReading(int client) {
        Client slow = clients.get(client);
        slow.key.interestOps(0);
        slow.isReading = false;
    }

    private int members() {
        return (int) clients.stream().skip(1).filter(client -> client.isReading).count();
    }

    // ---------------------------------------------------------------- resumption

    /**
     * Cuts all connections but the first at once, publishes what they miss, and resumes all sessions as fast as the
     * server allows. The latency is that of one session: from its connecting until it has received all that it missed.
     */
    public Outcome comeBack(int bytes, int missed) throws IOException {
        int members = clients.size() - 1;
        isTracking = true;
        probe(clients.subList(1, clients.size()), Operation.PUBLISH, List.of(clients.get(0)));
        isTracking = false;
        for (Client gone : clients.subList(1, clients.size())) {
            gone.socket.close();
        }
        Client publisher = clients.get(0);
        for (int i = 0; i < missed; i++) {
            put(publisher, dialect.template(Operation.PUBLISH), bytes, 0);
        }
        flush(publisher);
        // The probe arrives after what was published.
        probe(List.of(publisher), Operation.ECHO, List.of(publisher));
        isReturning = true;
        long[] received = new long[clients.size()];
        long[] begun = new long[clients.size()];
        int[] back = new int[1];
        Histogram nanos = histogram();
        receiver = (from, stamp, now) -> {
            if (++received[from.number] == missed) {
                back[0]++;
                nanos.recordValue(now - begun[from.number]);
            } else if (received[from.number] > missed) {
                throw new IllegalStateException("a session was sent more than it had missed");
            }
        };
        Duration cpu = serverCpu.get();
        long begin = System.nanoTime();
        heard = begin;
        int next = 1;
        while (back[0] < members) {
            while (next <= members && next - 1 - back[0] < UPGRADING) {
                Client before = clients.get(next);
                begun[next] = System.nanoTime();
                clients.set(next, connect(next, before.session, before.position));
                next++;
            }
            turn(100);
            failIfStalled("of " + members + " sessions " + back[0] + " are back");
        }
        long end = System.nanoTime();
        turn(50);
        isReturning = false;
        double used = serverCpu.get().minus(cpu).toNanos() / 1e9;
        return new Outcome(members, (end - begin) / 1e9, used, nanos);
    }

    // ---------------------------------------------------------------- echo

    /** Makes the first clients request echoes, each with this many in flight. */
    public Outcome echo(int bytes, int asking, int inFlight, Duration time) throws IOException {
        Template template = dialect.template(Operation.ECHO);
        List<Client> askers = clients.subList(0, asking);
        probe(askers, Operation.ECHO, askers);
        long[] received = new long[1];
        boolean[] over = new boolean[1];
        Histogram nanos = histogram();
        receiver = (from, stamp, now) -> {
            received[0]++;
            nanos.recordValue(now - stamp);
            if (!over[0]) {
                // Sent with the others of this read.
                put(from, template, bytes, now);
            }
        };
        heard = System.nanoTime();
        Measure measure = new Measure(time, nanos);
        long begun = (long) asking * inFlight;
        for (Client asker : askers) {
            for (int i = 0; i < inFlight; i++) {
                put(asker, template, bytes, System.nanoTime());
            }
            flush(asker);
        }
        while (!measure.isOver(received[0])) {
            turn(100);
            failIfStalled(received[0] + " echoes came");
        }
        over[0] = true;
        settle(received[0] + begun, received);
        return measure.outcome();
    }

    /**
     * Makes the first clients request echoes, each one at a time at an even pace. The requests of all are spread
     * evenly.
     */
    public Outcome echoPaced(int bytes, int asking, int perSecond, Duration time) throws IOException {
        Template template = dialect.template(Operation.ECHO);
        long pace = 1_000_000_000L / perSecond;
        // Request number n is due at begin + n * pace / asking.
        long asked = 0;
        long[] received = new long[1];
        Histogram nanos = histogram();
        receiver = (from, stamp, now) -> {
            received[0]++;
            nanos.recordValue(now - from.due);
            from.due = 0;
        };
        heard = System.nanoTime();
        Measure measure = new Measure(time, nanos);
        long begin = System.nanoTime();
        while (!measure.isOver(received[0])) {
            for (long due = begin; due - System.nanoTime() <= 0; due = begin + asked * pace / asking) {
                Client asker = clients.get((int) (asked % asking));
                asked++;
                if (asker.due == 0 && asker.socket.isOpen()) {
                    // Otherwise the previous request is not answered yet, and its time counts.
                    asker.due = due;
                    put(asker, template, bytes, due);
                    flush(asker);
                }
            }
            turn(1);
            failIfStalled(received[0] + " echoes came");
        }
        return measure.outcome();
    }

    // ---------------------------------------------------------------- shared

    /** The figures of a run. The first fifth of it does not count. */
    private final class Measure {
        private final long begin = System.nanoTime();
        private final long warm;
        private final long end;
        private final Histogram nanos;
        private boolean isWarm;
        private long messages;
        private long from;
        private Duration cpu = Duration.ZERO;
        private @Nullable Outcome outcome;

        Measure(Duration time, Histogram nanos) {
            this.warm = begin + time.toNanos() / 5;
            this.end = warm + time.toNanos();
            this.nanos = nanos;
        }

        boolean isOver(long received) {
            long now = System.nanoTime();
            if (!isWarm && now - warm > 0) {
                isWarm = true;
                nanos.reset();
                messages = received;
                cpu = serverCpu.get();
                from = System.nanoTime();
            } else if (isWarm && now - end > 0) {
                Histogram own = nanos.copy();
                double used = serverCpu.get().minus(cpu).toNanos() / 1e9;
                outcome = new Outcome(received - messages, (System.nanoTime() - from) / 1e9, used, own);
                return true;
            }
            return false;
        }

        Outcome outcome() {
            if (outcome == null) {
                throw new IllegalStateException("not over yet");
            }
            return outcome;
        }
    }

    private static Histogram histogram() {
        return new Histogram(Duration.ofMinutes(5).toNanos(), 3);
    }

    private void failIfStalled(String progress) throws IOException {
        if (System.nanoTime() - heard > STALLED) {
            throw new IOException("nothing came any more: " + progress);
        }
    }

    private void turn(long millis) throws IOException {
        if (millis == 0) {
            selector.selectNow(this::handle);
        } else {
            selector.select(this::handle, millis);
        }
    }

    private void handle(SelectionKey key) {
        Client client = (Client) key.attachment();
        try {
            if (key.isConnectable()) {
                connected(client);
                return;
            }
            if (key.isWritable()) {
                flush(client);
            }
            if (key.isReadable()) {
                receive(client);
            }
        } catch (IOException broken) {
            lose(client);
        }
    }

    private void lose(Client client) {
        if (client.socket.isOpen()) {
            lost++;
            try {
                client.socket.close();
            } catch (IOException unlikely) {
                throw new IllegalStateException(unlikely);
            }
        }
    }

    // ---------------------------------------------------------------- in

    private void receive(Client client) throws IOException {
        int kept = client.rest.length;
        System.arraycopy(client.rest, 0, read, 0, kept);
        int count = client.socket.read(ByteBuffer.wrap(read, kept, read.length - kept));
        if (count < 0) {
            lose(client);
            return;
        }
        int end = kept + count;
        int at = client.isUpgraded ? 0 : head(client, end);
        if (client.isUpgraded) {
            at = frames(client, at, end, System.nanoTime());
        }
        client.rest = at == end ? NOTHING : Arrays.copyOfRange(read, at, end);
        if (write.position() > 0) {
            flush(client);
        }
    }

    private static final byte[] NOTHING = new byte[0];

    private int head(Client client, int end) throws IOException {
        String head = new String(read, 0, end, US_ASCII);
        int length = head.indexOf("\r\n\r\n") + 4;
        if (length < 4) {
            return 0;
        }
        if (!head.startsWith("HTTP/1.1 101 ")) {
            throw new IOException("not upgraded: " + head.substring(0, head.indexOf('\r')));
        }
        upgraded(client);
        return length;
    }

    private int frames(Client client, int from, int end, long now) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(read, from, end - from);
        while (true) {
            int begin = in.position();
            if (!readHeader(in) || in.remaining() < header.length()) {
                return begin;
            }
            int payload = in.position();
            int next = payload + (int) header.length();
            frame(client, header.opcode(), payload, next, now);
            in.position(next);
        }
    }

    private boolean readHeader(ByteBuffer in) throws IOException {
        header.reset();
        try {
            return header.read(in);
        } catch (FrameException violation) {
            throw new IOException(violation);
        }
    }

    private void frame(Client client, int opcode, int from, int to, long now) throws IOException {
        if (opcode == Opcode.PING) {
            pings++;
            put(Opcode.PONG, Arrays.copyOfRange(read, from, to));
        } else if (opcode == Opcode.CLOSE) {
            lose(client);
        } else {
            for (int i = from; i + STAMPED <= to; i++) {
                if (read[i] == MARK && read[i + 1] == MARK) {
                    heard = now;
                    // A session that names no position of its inbox may get answers again.
                    if (isReturning && !dialect.isOfGroup(new String(read, from, to - from, UTF_8))) {
                        return;
                    }
                    if (isTracking) {
                        client.position = dialect.position(new String(read, from, to - from, UTF_8), client.position);
                    }
                    receiver.message(client, stamp(i + 2), now);
                    return;
                }
            }
            String frame = new String(read, from, to - from, UTF_8);
            String session = dialect.session(frame);
            client.session = session.isEmpty() ? client.session : session;
            client.position = dialect.position(frame, client.position);
            String answer = dialect.answer(frame);
            if (!answer.isEmpty()) {
                put(Opcode.TEXT, answer.getBytes(UTF_8));
            }
            if (dialect.isReady(frame)) {
                becomeReady(client);
            }
        }
    }

    private long stamp(int at) {
        long value = 0;
        for (int i = at; i < at + 16; i++) {
            value = (value << 4) | Character.digit(read[i], 16);
        }
        return value;
    }

    // ---------------------------------------------------------------- out

    /** Writes an operation into the buffer, to be flushed to this client. */
    private void put(Client client, Template template, int payload, long stamp) throws IOException {
        if (write.remaining() < payload + 512) {
            flush(client);
        }
        List<byte[]> parts = template.parts();
        byte[] number = template.isNumbered() ? Long.toString(++client.sent).getBytes(US_ASCII) : NOTHING;
        int length = payload + number.length;
        for (byte[] part : parts) {
            length += part.length;
        }
        FrameWriter.maskedHeader(write, Opcode.TEXT, length, UNMASKED);
        int next = 0;
        if (template.isNumbered()) {
            write.put(parts.get(next++)).put(number);
        }
        write.put(parts.get(next++));
        if (payload > 0) {
            write.put(MARK).put(MARK);
            for (int shift = 60; shift >= 0; shift -= 4) {
                write.put(HEX[(int) (stamp >>> shift) & 15]);
            }
            write.put(PADDING, 0, payload - STAMPED);
        }
        while (next < parts.size()) {
            write.put(parts.get(next++));
        }
    }

    private static final byte[] PADDING = "x".repeat(64 * 1024).getBytes(US_ASCII);

    private void put(int opcode, byte[] payload) {
        FrameWriter.maskedHeader(write, opcode, payload.length, UNMASKED);
        write.put(payload);
    }

    private void flush(Client client) throws IOException {
        write.flip();
        ByteBuffer bytes = write;
        if (client.unsent.length > 0) {
            bytes = ByteBuffer.allocate(client.unsent.length + write.remaining())
                    .put(client.unsent)
                    .put(write)
                    .flip();
        }
        if (bytes.hasRemaining()) {
            client.socket.write(bytes);
        }
        boolean wasBehind = client.unsent.length > 0;
        client.unsent =
                bytes.hasRemaining() ? Arrays.copyOfRange(bytes.array(), bytes.position(), bytes.limit()) : NOTHING;
        if (wasBehind != client.unsent.length > 0) {
            client.key.interestOps(SelectionKey.OP_READ | (client.unsent.length > 0 ? SelectionKey.OP_WRITE : 0));
        }
        write.clear();
    }

    // ---------------------------------------------------------------- results

    public int lost() {
        return lost;
    }

    public int pings() {
        return pings;
    }

    @Override
    public void close() throws IOException {
        byte[] normal = {3, (byte) 232};
        for (Client client : clients) {
            try (SocketChannel leaving = client.socket) {
                if (leaving.isOpen()) {
                    put(Opcode.CLOSE, normal);
                    flush(client);
                }
            } catch (IOException gone) {
                // The server closed the connection first, so there is nobody to send a close frame to.
                write.clear();
            }
        }
        selector.close();
    }
}
