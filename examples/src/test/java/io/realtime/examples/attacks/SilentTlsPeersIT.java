package io.realtime.examples.attacks;

import io.realtime.testing.RawWebSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** As {@link HostilePeersIT}, of a server with TLS and a crowd that connects to it with TLS. */
@Timeout(300)
@Isolated("measures processes that need the machine")
class SilentTlsPeersIT {
    /** The header of a record that holds a handshake of 16 KiB, and its first bytes: a client's hello that does not end. */
    private static final byte[] HELLO = {0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x00, 0x3F, (byte) 0xFC};

    @AfterAll
    static void print() {
        Arena.printTable();
    }

    @Test
    void peersThatDoNotFinishTheirHandshakeAreCut(@TempDir Path folder) throws Exception {
        Path identity = folder.resolve("identity.p12");
        TlsIdentity.create(identity);
        try (Arena arena = new Arena("netty", identity)) {
            arena.withstands("silent TLS peers", 0, (same, attackers) -> {
                Queue<RawWebSocket> silent = new ConcurrentLinkedQueue<>();
                attackers.each(Scale.of(99, 999), number -> {
                    RawWebSocket socket = attackers.connect();
                    switch (number % 3) {
                        case 0 -> {} // says nothing at all
                        case 1 -> socket.send(HELLO);
                        default -> socket.send("GET /ws HTTP".getBytes(StandardCharsets.US_ASCII)); // no TLS
                    }
                    silent.add(socket);
                });
                arena.letIn();
                // Fails where the server has not cut a peer before the peer's own read times out.
                attackers.each(silent.size(), number -> silent.remove().readToEnd());
            });
        }
    }
}
