package io.realtime.examples.attacks;

import static io.realtime.examples.attacks.Attackers.closeCode;
import static io.realtime.examples.attacks.Attackers.expect;
import static io.realtime.testing.RawWebSocket.BINARY;
import static io.realtime.testing.RawWebSocket.CLOSE;
import static io.realtime.testing.RawWebSocket.CONTINUATION;
import static io.realtime.testing.RawWebSocket.PING;
import static io.realtime.testing.RawWebSocket.PONG;
import static io.realtime.testing.RawWebSocket.TEXT;
import static io.realtime.testing.RawWebSocket.encode;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.testing.RawWebSocket;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What hostile peers do to the others: nothing. Each attack is made while a crowd of well-behaved clients talks, and what
 * {@link Arena} says must hold; the attackers are answered as docs/limits.md says. Small in every build; CONTRIBUTING.md
 * has the command for the full size, which also prints a table.
 */
@Timeout(300)
@ParameterizedClass(name = "{0}")
@ValueSource(strings = {"java-websocket", "netty"})
@Isolated("measures processes that need the machine")
class HostilePeersIT {
    private static final int PROTOCOL = CloseReason.WEBSOCKET_PROTOCOL_ERROR;
    private static final int INVALID_UTF8 = 1007;
    private static final int WARNINGS = 10; // in the log, from one attack
    private static final byte[] MASK = {1, 2, 3, 4};

    private static @Nullable Arena arena; // of the transport; a new one after a test that failed

    @Parameter
    String transport = "";

    private void withstands(String name, Arena.Attack attack) throws Exception {
        withstands(name, WARNINGS, attack);
    }

    private void withstands(String name, int warnings, Arena.Attack attack) throws Exception {
        Arena mine = arena == null ? new Arena(transport) : arena;
        arena = null;
        boolean done = false;
        try {
            mine.withstands(name, warnings, attack);
            done = true;
        } finally {
            if (done) {
                arena = mine;
            } else {
                mine.close();
            }
        }
    }

    @AfterParameterizedClassInvocation
    static void close() {
        if (arena != null) {
            arena.close();
            arena = null;
        }
    }

    @AfterAll
    static void print() {
        Arena.printTable();
    }

    // ---- before the upgrade

    @Test
    void upgradesThatDoNotEndAreCutAndKeepNobodyOut() throws Exception {
        withstands("unfinished upgrades", (arena, attackers) -> {
            byte[] request =
                    ("GET /ws HTTP/1.1\r\nX-Patience: " + "z".repeat(1_000)).getBytes(StandardCharsets.US_ASCII);
            List<RawWebSocket> open = new ArrayList<>();
            attackers.each(Scale.of(100, 1_000), number -> {
                RawWebSocket socket = attackers.connect();
                synchronized (open) {
                    open.add(socket);
                }
            });
            arena.letIn();
            List<RawWebSocket> writable = new ArrayList<>(open);
            attackers.every(Scale.of(200, 1_000), tick -> {
                writable.removeIf(socket -> !sends(socket, request[tick]));
                return !writable.isEmpty() && tick < 30;
            });
            for (RawWebSocket socket : open) {
                assertEquals(0, socket.readToEnd().length);
            }
        });
    }

    @Test
    void headersWithoutEndAreRefusedWith431() throws Exception {
        withstands(
                "endless headers",
                (arena, attackers) -> attackers.each(Scale.of(8, 64), number -> {
                    RawWebSocket socket = attackers.connect();
                    socket.send("GET /ws HTTP/1.1\r\n".getBytes(StandardCharsets.US_ASCII));
                    byte[] header = ("X-Filler: " + "z".repeat(1_012) + "\r\n").getBytes(StandardCharsets.US_ASCII);
                    for (int i = 0; i < 1024; i++) {
                        socket.send(header);
                    }
                    String answer = socket.readHead();
                    assertTrue(answer.startsWith("HTTP/1.1 431 "), answer);
                }));
    }

    // ---- frames

    @Test
    void frameThatAnnouncesMoreThanThereIsMemoryIsRefusedWith1009() throws Exception {
        byte[] header = ByteBuffer.allocate(14)
                .put((byte) (0x80 | BINARY))
                .put((byte) 0xFF)
                .putLong(1L << 62)
                .put(MASK)
                .array();
        withstands(
                "frame of 2^62 bytes",
                (arena, attackers) -> attackers.each(Scale.of(50, 500), number -> {
                    RawWebSocket socket = attackers.open();
                    socket.send(header);
                    assertEquals(CloseReason.TOO_BIG, closeCode(socket));
                }));
    }

    @Test
    void fragmentsWithoutEndCostTheirBytes() throws Exception {
        byte[] fragments = repeat(10_000, i -> encode(false, i == 0 ? TEXT : CONTINUATION, new byte[] {'x'}));
        withstands(
                "10,000 tiny fragments",
                (arena, attackers) -> attackers.each(Scale.of(8, 64), number -> {
                    RawWebSocket socket = attackers.open();
                    socket.send(fragments);
                    socket.frame(true, PING, MASK);
                    assertEquals(PONG, socket.read().opcode()); // it still waits for the rest
                }));
    }

    @Test
    void fragmentsBeyondTheLimitAreRefusedWith1009() throws Exception {
        byte[] fragments = repeat(65, i -> encode(false, i == 0 ? TEXT : CONTINUATION, new byte[1024]));
        withstands(
                "fragments beyond 64 KiB",
                (arena, attackers) -> attackers.each(Scale.of(20, 200), number -> {
                    RawWebSocket socket = attackers.open();
                    socket.send(fragments);
                    assertEquals(CloseReason.TOO_BIG, closeCode(socket));
                }));
    }

    @Test
    void pingsWithoutPauseAreRefusedWith4101() throws Exception {
        byte[] pings = repeat(1_000, i -> encode(true, PING, new byte[4]));
        int floods = Scale.of(8, 16);
        withstands("ping floods", (arena, attackers) -> {
            int before = arena.closed(CloseReason.RATE_LIMITED);
            attackers.each(floods, number -> {
                RawWebSocket socket = attackers.open();
                assertThrows(
                        IOException.class,
                        () -> { // cut in the middle, no matter what else it wanted to say
                            for (int i = 0; i < 10_000; i++) {
                                socket.send(pings);
                            }
                        });
            });
            arena.awaitClosed(CloseReason.RATE_LIMITED, before + floods);
        });
    }

    @Test
    void framesThatBreakTheProtocolAreRefused() throws Exception {
        List<Broken> broken = List.of(
                new Broken(INVALID_UTF8, encode(true, TEXT, bytes(0xC0, 0xAF))),
                new Broken(INVALID_UTF8, encode(true, TEXT, bytes(0xED, 0xA0, 0x80))), // half a surrogate pair
                new Broken(INVALID_UTF8, encode(true, CLOSE, bytes(0x03, 0xE8, 0xFF))),
                new Broken(PROTOCOL, bytes(0x81, 0x01, 'x')), // not masked
                new Broken(PROTOCOL, encode(true, 0x10 | TEXT, bytes('x'))),
                new Broken(PROTOCOL, encode(true, 0x40 | TEXT, bytes('x'))),
                new Broken(PROTOCOL, encode(true, 0x3, bytes('x'))),
                new Broken(PROTOCOL, encode(true, 0xB, bytes('x'))),
                new Broken(PROTOCOL, encode(true, CONTINUATION, bytes('x'))),
                new Broken(PROTOCOL, encode(true, PING, new byte[126])),
                new Broken(PROTOCOL, encode(true, CLOSE, bytes(0x03))),
                new Broken(PROTOCOL, encode(true, CLOSE, bytes(0x03, 0xED))), // 1005
                new Broken(PROTOCOL, encode(true, CLOSE, bytes(0x00, 0x01))),
                new Broken(PROTOCOL, encode(true, CLOSE, bytes(0xFF, 0xFF))));
        withstands(
                "broken frames",
                (arena, attackers) -> attackers.each(broken.size() * Scale.of(3, 50), number -> {
                    Broken frame = broken.get(number % broken.size());
                    RawWebSocket socket = attackers.open();
                    socket.send(frame.bytes);
                    assertEquals(frame.code, closeCode(socket), () -> "frame " + number % broken.size());
                }));
    }

    /** Bytes, and what they are refused with. */
    private static final class Broken {
        final int code;
        final byte[] bytes;

        Broken(int code, byte[] bytes) {
            this.code = code;
            this.bytes = bytes;
        }
    }

    // ---- connections

    @Test
    void readersThatStopAreCutWith4102() throws Exception {
        int readers = Scale.of(20, 1_000);
        withstands("readers that stop", (arena, attackers) -> {
            int before = arena.closed(CloseReason.SLOW_CONSUMER);
            attackers.each(readers, number -> {
                RawWebSocket socket = attackers.open("reader-" + number, 8 * 1024);
                socket.text("{\"type\":\"$join\",\"room\":\"flood\",\"ref\":\"1\"}");
                expect(socket, "\"$reply\"");
            });
            arena.server.broadcast("flood", Scale.of(8_000, 15_000), Scale.of(4_000, 1_000));
            arena.awaitClosed(CloseReason.SLOW_CONSUMER, before + readers);
        });
    }

    @Test
    void connectionsThatComeAndGoLeaveNothingBehind() throws Exception {
        withstands(
                "connect–disconnect storm",
                (arena, attackers) -> attackers.each(Scale.of(200, 5_000), number -> {
                    switch (number % 4) {
                        case 0 -> attackers.connect().close();
                        case 1 -> {
                            RawWebSocket socket = attackers.connect();
                            socket.sendUpgrade("/ws?token=storm-" + number);
                            socket.reset();
                        }
                        case 2 -> attackers.open().reset();
                        default -> {
                            RawWebSocket socket = attackers.open();
                            socket.close(CloseReason.NORMAL, "");
                            assertEquals(CloseReason.NORMAL, closeCode(socket));
                        }
                    }
                }));
    }

    @Test
    void resetAtAnyPointEndsOnlyItsConnection() throws Exception {
        byte[] message = encode(
                true, TEXT, "{\"type\":\"$join\",\"room\":\"middle\",\"ref\":\"1\"}".getBytes(StandardCharsets.UTF_8));
        byte[] say = encode(
                true,
                TEXT,
                "{\"type\":\"say\",\"room\":\"middle\",\"data\":{\"sender\":1,\"number\":1,\"sentAt\":1}}"
                        .getBytes(StandardCharsets.UTF_8));
        withstands(
                "resets",
                (arena, attackers) -> attackers.each(Scale.of(70, 2_100), number -> {
                    if (number % 7 == 0) {
                        RawWebSocket socket = attackers.connect();
                        socket.send("GET /ws HTTP/1.1\r\nHo".getBytes(StandardCharsets.US_ASCII));
                        socket.reset();
                        return;
                    }
                    RawWebSocket socket = attackers.open();
                    switch (number % 7) {
                        case 1 -> socket.send(Arrays.copyOf(message, 3)); // of a header
                        case 2 -> socket.send(Arrays.copyOf(message, 20)); // of a payload
                        case 3 -> socket.frame(false, TEXT, bytes('{')); // of fragments
                        case 4 -> socket.send(message); // of a join
                        case 5 -> { // of what it says to itself
                            socket.send(message);
                            socket.send(repeat(100, i -> say));
                        }
                        default -> socket.close(CloseReason.NORMAL, ""); // of a closing handshake
                    }
                    socket.reset();
                }));
    }

    // ---- messages

    @Test
    void garbageIsRefusedAndThenClosedWith4000() throws Exception {
        List<String> garbage = List.of(
                "hello",
                "",
                "[]",
                "{\"type\":\"say\"",
                "{\"type\":\"say\",\"data\":" + "[".repeat(30_000) + "]".repeat(30_000) + "}",
                "{\"a\":".repeat(10_000),
                "{\"type\":\"say\",\"type\":\"say\"}",
                "{\"type\":\"say\",\"x\":1,\"x\":1}",
                "{\"type\":\"say\",\"seq\":1e999999999}",
                "{\"type\":\"say\",\"seq\":" + "9".repeat(60_000) + "}",
                "{\"type\":\"say\",\"seq\":-1}",
                "{\"type\":\"" + "x".repeat(129) + "\"}",
                "{\"type\":\"say\",\"data\":NaN}",
                "\u0000".repeat(60_000));
        withstands(
                "garbage",
                (arena, attackers) -> attackers.each(garbage.size() * Scale.of(2, 20), number -> {
                    String text = garbage.get(number % garbage.size());
                    RawWebSocket socket = attackers.open();
                    socket.text(text);
                    expect(socket, "\"bad_message\""); // welcome: from here on each has its answer before the close
                    for (int i = 1; i < 10; i++) {
                        socket.text(text);
                    }
                    for (int i = 1; i < 10; i++) {
                        expect(socket, "\"bad_message\"");
                    }
                    assertEquals(
                            CloseReason.PROTOCOL_ERROR,
                            socket.read().closeReason().code());
                }));
    }

    @Test
    void hugeNumbersAreRefusedAsDataThatDoesNotFit() throws Exception {
        List<String> numbers =
                List.of("9".repeat(60_000), "1e999999999", "-1e999999999", "\"" + "9".repeat(60_000) + "\"");
        withstands(
                "huge numbers",
                (arena, attackers) -> attackers.each(numbers.size() * Scale.of(4, 50), number -> {
                    RawWebSocket socket = attackers.open();
                    String data = numbers.get(number % numbers.size());
                    socket.text("{\"type\":\"next\",\"ref\":\"1\",\"data\":" + data + "}");
                    expect(socket, number % numbers.size() == 0 ? "\"bad_message\"" : "\"bad_data\"");
                    socket.text("{\"type\":\"next\",\"ref\":\"2\",\"data\":41}");
                    expect(socket, "42");
                }));
    }

    @Test
    void throwingApplicationEndsNoConnection() throws Exception {
        List<String> ways = List.of("exception", "error", "linkage", "memory", "stack");
        int throwers = Scale.of(20, 200);
        int warnings = Integer.MAX_VALUE; // each failure is in the log
        withstands("handlers that throw", warnings, (arena, attackers) -> {
            attackers.each(throwers, number -> {
                RawWebSocket socket = attackers.open(AttackedServer.THROWER + number, 0);
                for (String way : ways) {
                    socket.text("{\"type\":\"fail\",\"ref\":\"1\",\"data\":\"" + way + "\"}");
                    expect(socket, "\"internal\"");
                }
                socket.text("{\"type\":\"$join\",\"room\":\"" + AttackedServer.THROWING_ROOM + "\",\"ref\":\"1\"}");
                expect(socket, "\"$error\"");
                socket.text("{\"type\":\"next\",\"ref\":\"2\",\"data\":41}");
                expect(socket, "42");
            });
            attackers.each(throwers, number -> {
                RawWebSocket socket = attackers.connect();
                socket.upgrade("/ws?token=" + AttackedServer.THROWING_TOKEN);
                assertEquals(CloseReason.UNAUTHORIZED, closeCode(socket));
            });
        });
    }

    // ---- bytes

    private static boolean sends(RawWebSocket socket, byte next) {
        try {
            socket.send(new byte[] {next});
            return true;
        } catch (IOException cut) {
            return false;
        }
    }

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    private static byte[] repeat(int times, IntFunction<byte[]> part) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        IntStream.range(0, times).forEach(i -> all.writeBytes(part.apply(i)));
        return all.toByteArray();
    }
}
