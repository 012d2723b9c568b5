package io.realtime.client.internal.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Sockets whose last byte says what they do: below 100 they refuse, from 200 on they connect, between they are dead. */
@Timeout(30)
class DialerTest {
    private static final long NEVER = TimeUnit.DAYS.toMillis(1);

    private final Queue<Line> lines = new ConcurrentLinkedQueue<>();
    private final Set<Line> dead = ConcurrentHashMap.newKeySet();

    @AfterEach
    void everySocketButTheWinnerIsClosed() throws InterruptedException {
        for (Line line : dead) {
            assertTrue(line.closed.await(10, TimeUnit.SECONDS), line::toString);
        }
    }

    @Test
    void unreachableAddressesAreOvertaken() throws Exception {
        Socket connected = new Dialer(this::line, 1).connect(v4(100, 101, 102, 200), 80);
        assertEquals("200", connected.toString());
        assertFalse(connected.isClosed());
    }

    /** RFC 8305 section 5: 250 ms, whatever wakes the dialer before that. */
    @Test
    void nextAttemptBeginsAfterAQuarterOfASecond() throws Exception {
        List<String> waits = new ArrayList<>();
        Dialer dialer = new Dialer(this::line, Dialer.STAGGER_MILLIS) {
            @Override
            long awaitNews(long nanos) {
                waits.add(lines.size() + " begun, " + nanos + " ns");
                return nanos > 1 ? nanos / 250_000_000 : 0; // woken early once
            }
        };
        assertEquals("200", dialer.connect(v4(100, 101, 200), 80).toString());
        assertEquals(
                List.of(
                        "1 begun, 250000000 ns", "1 begun, 1 ns",
                        "2 begun, 250000000 ns", "2 begun, 1 ns"),
                waits);
    }

    @Test
    void refusalBeginsTheNextAttemptAtOnce() throws Exception {
        assertEquals(
                "200",
                new Dialer(this::line, NEVER).connect(v4(1, 2, 3, 200), 80).toString());
        assertEquals(4, lines.size());
    }

    @Test
    void firstAddressThatAnswersIsTheOnlyOneDialed() throws Exception {
        assertEquals(
                "200", new Dialer(this::line, NEVER).connect(v4(200, 201), 80).toString());
        assertEquals(1, lines.size());
    }

    @Test
    void failureOfAllIsTheFirstWithTheOthersSuppressed() {
        IOException failure =
                assertThrows(ConnectException.class, () -> new Dialer(this::line, NEVER).connect(v4(1, 2, 3), 80));
        assertEquals("1 refused", failure.getMessage());
        assertEquals(
                List.of("2 refused", "3 refused"),
                Arrays.stream(failure.getSuppressed())
                        .map(Throwable::getMessage)
                        .toList());
    }

    @Test
    void noMoreThanSixAttemptsAreInProgress() throws Exception {
        Dialer dialer = new Dialer(this::line, 0);
        CompletableFuture<Throwable> failed = inBackground(dialer, v4(100, 101, 102, 103, 104, 105, 106, 107));
        while (dead.size() < Dialer.MOST_UNDER_WAY) {
            Thread.onSpinWait();
        }
        dialer.cancel();
        assertEquals(SocketException.class, failed.get(10, TimeUnit.SECONDS).getClass());
        assertEquals(Dialer.MOST_UNDER_WAY, lines.size());
        assertTrue(lines.stream().allMatch(line -> line.timeout > 0), "those that wait get a place some time");
    }

    @Test
    void cancelEndsADialThatBlocks() throws Exception {
        Dialer dialer = new Dialer(this::line, NEVER);
        CompletableFuture<Throwable> failed = inBackground(dialer, v4(100));
        while (dead.isEmpty()) {
            Thread.onSpinWait();
        }
        dialer.cancel();
        assertEquals("cancelled", failed.get(10, TimeUnit.SECONDS).getMessage());
        assertEquals(0, lines.element().timeout, "one that keeps nobody waiting has the caller's deadline");
    }

    @Test
    void cancelBeforeTheDialDialsNothing() throws Exception {
        Dialer dialer = new Dialer(this::line, NEVER);
        dialer.cancel();
        assertThrows(SocketException.class, () -> dialer.connect(v4(200), 80));
        assertEquals(0, lines.size());
    }

    @Test
    void addressFamiliesAlternate() throws Exception {
        InetAddress a6 = InetAddress.getByName("2001:db8::1");
        InetAddress b6 = InetAddress.getByName("2001:db8::2");
        InetAddress c6 = InetAddress.getByName("2001:db8::3");
        InetAddress a4 = InetAddress.getByName("192.0.2.1");
        InetAddress b4 = InetAddress.getByName("192.0.2.2");
        assertEquals(List.of(a6, a4, b6, b4, c6), Dialer.takingTurns(new InetAddress[] {a6, b6, c6, a4, b4}));
        assertEquals(List.of(a4, a6, b4), Dialer.takingTurns(new InetAddress[] {a4, b4, a6}));
        assertSame(b4, Dialer.takingTurns(new InetAddress[] {b4}).get(0));
    }

    private static CompletableFuture<Throwable> inBackground(Dialer dialer, InetAddress[] addresses) {
        return CompletableFuture.supplyAsync(
                () -> assertThrows(IOException.class, () -> dialer.connect(addresses, 80)));
    }

    private static InetAddress[] v4(int... last) throws IOException {
        List<InetAddress> addresses = new ArrayList<>();
        for (int each : last) {
            addresses.add(InetAddress.getByAddress(new byte[] {(byte) 192, 0, 2, (byte) each}));
        }
        return addresses.toArray(new InetAddress[0]);
    }

    private Line line() {
        Line line = new Line();
        lines.add(line);
        return line;
    }

    private final class Line extends Socket {
        private final CountDownLatch closed = new CountDownLatch(1);
        private volatile int number;
        private volatile int timeout;

        @Override
        public void connect(SocketAddress address, int millis) throws IOException {
            number = ((InetSocketAddress) address).getAddress().getAddress()[3] & 0xFF;
            timeout = millis;
            if (number < 100) {
                throw new ConnectException(number + " refused");
            }
            if (number < 200) {
                dead.add(this);
                awaitClose();
                throw new SocketException("closed");
            }
        }

        private void awaitClose() {
            try {
                closed.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public synchronized void close() throws IOException {
            closed.countDown();
            super.close();
        }

        @Override
        public String toString() {
            return Integer.toString(number);
        }
    }
}
