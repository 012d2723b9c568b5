package io.realtime.benchmarks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.benchmarks.load.Dialect;
import io.realtime.benchmarks.load.Load;
import io.realtime.benchmarks.load.ServerProcess;
import io.realtime.benchmarks.load.Tokens;
import io.realtime.internal.wire.Envelope;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** That the benchmarks do what they say, at tiny sizes; their figures are for {@link Main}. */
class BenchmarksTest {
    @Test
    void everyMemberIsSentEveryMessageWithALogAndWithout() {
        for (String retention : new String[] {"defaults", "none"}) {
            PublishBenchmark benchmark = new PublishBenchmark();
            benchmark.retention = retention;
            benchmark.members = 3;
            benchmark.fill();
            Position position = benchmark.publish().join();
            assertNotNull(position, retention);
            assertEquals(1, position.offset(), retention);
            benchmark.check();
        }
    }

    @Test
    void resumeIsSentTheWelcomeAndWhatItMissed() {
        ResumeBenchmark benchmark = new ResumeBenchmark();
        benchmark.log = 50;
        benchmark.others = 2;
        benchmark.place = "same room";
        benchmark.missed = 20;
        benchmark.fill();
        benchmark.miss();
        assertEquals(1 + 20, benchmark.resume());
        benchmark.check();
        benchmark.close();
    }

    @Test
    void whatAnIdleSessionCostsIsAttributedToItsParts() {
        IdleSessions.measure(10); // loads what is loaded once
        IdleSessions.Result result = IdleSessions.measure(1000);
        for (IdleSessions.Cost cost : new IdleSessions.Cost[] {result.connected(), result.detached()}) {
            assertTrue(cost.attributed() > 0.8 && cost.attributed() < 1.2, () -> "attributed " + cost.attributed());
        }
        Histogram.Count peers = result.connected().parts().get("Peer");
        assertNotNull(peers);
        assertEquals(1100, peers.objects());
        assertNull(result.connected().parts().get("NullConnection"));
        Histogram.Count kept = result.detached().parts().get("Peer");
        assertNotNull(kept);
        assertEquals(100, kept.objects(), "a session that is away keeps its dead connection");
    }

    @Test
    void everyConnectionOfLoadIsHeldAndEveryQuestionAnswered() throws Exception {
        for (String transport : List.of("java-websocket", "netty")) {
            Capacity.Result result = Capacity.measure(new Capacity.Size(transport, 20, 5), Duration.ofMillis(500));
            assertEquals(0, result.lost());
            assertTrue(result.echoes().messages() > 0, "nothing was answered");
        }
    }

    /** A load counts each delivery, and fails when one is missing or comes twice: so this only has to run. */
    @Test
    void everyServerThatIsComparedDeliversToTheLoad() throws Exception {
        Duration time = Duration.ofMillis(200);
        Map<String, Dialect> servers = new LinkedHashMap<>();
        servers.put("Realtime java-websocket", Dialect.REALTIME);
        servers.put("Realtime netty none", Dialect.REALTIME_REQUEST);
        servers.put("Realtime java-websocket none", Dialect.REALTIME_PLAIN);
        servers.put("RawNetty", Dialect.RAW);
        servers.put("RawNetty merged", Dialect.RAW);
        servers.put("RawJavaWebSocket", Dialect.RAW);
        for (Map.Entry<String, Dialect> each : servers.entrySet()) {
            String[] command = each.getKey().split(" ", 2);
            String[] arguments = command.length == 1 ? new String[0] : command[1].split(" ", -1);
            List<String> java = ServerProcess.java(
                    "64m",
                    System.getProperty("java.class.path"),
                    "io.realtime.benchmarks.servers." + command[0],
                    arguments);
            try (ServerProcess server = new ServerProcess(java);
                    Load load = new Load(server.address(), each.getValue(), Tokens::of, server::cpu)) {
                load.open(5);
                load.joinAllButFirst();
                assertTrue(load.fanOut(120, 16, time).messages() > 0, each.getKey());
                assertTrue(load.fanOutPaced(1024, 50, time).messages() > 0, each.getKey());
                assertTrue(load.echo(120, 3, 8, time).messages() > 0, each.getKey());
                assertEquals(0, load.lost(), each.getKey());
                if (each.getKey().equals("Realtime java-websocket")) {
                    assertEquals(4, load.comeBack(120, 100).messages());
                    assertTrue(server.liveHeap() > 0);
                }
            }
        }
    }

    @Test
    void growthIsMeasured() {
        Growth.Size size = new Growth.Size("rooms", 5, 10, 5, 2);
        double nanos = Growth.measure(List.of(size), 1, Duration.ofMillis(10)).getOrDefault(size, 0.0);
        assertTrue(nanos > 0);
    }

    @Test
    void audiencesAreMeasured() {
        Map<String, Audiences.Result> results = Audiences.measure(10, 1, Duration.ofMillis(10));
        assertEquals(5, results.size());
        results.forEach((audience, result) -> assertTrue(result.perSecond() > 0, audience));
    }

    @Test
    void callsAreMadeAndCounted() throws Exception {
        for (CallRates.Row row : CallRates.measure(1, Duration.ofMillis(50))) {
            assertTrue(row.medianPerSecond() > 0, row.name());
        }
        assertEquals(3, CallRates.cancels("netty", 3).size());
    }

    @Test
    void payloadIsReadAsItWasWritten() throws Exception {
        WireBenchmark benchmark = new WireBenchmark();
        benchmark.payload = 1024;
        benchmark.fill();
        assertEquals(1024, benchmark.decodeTree().toString().length());
        assertEquals(
                benchmark.decodeTyped(),
                Envelope.parse(benchmark.encodeForLog().asText()).data(WireBenchmark.Said.class));
        assertEquals(123_456, Envelope.parse(benchmark.encodeForLog().asText()).offset());
        assertEquals(1234, benchmark.parse().seq());
        assertEquals("chat:42", Envelope.parse(benchmark.encode().asText()).room());
    }

    @Test
    void whatIsHandedOverIsHandledAndAnsweredOnce() {
        for (String executor : new String[] {"caller", "own"}) {
            HandOverBenchmark benchmark = new HandOverBenchmark();
            benchmark.executor = executor;
            benchmark.open();
            assertEquals(2, benchmark.tell(), executor);
            assertEquals(1, benchmark.ask(), executor);
            assertEquals(2 + HandOverBenchmark.BURST, benchmark.tellMany(), executor);
            assertEquals(1 + HandOverBenchmark.BURST, benchmark.askMany(), executor);
            benchmark.check();
        }
    }

    @Test
    void busCallsEveryHandler() {
        EventBusBenchmark benchmark = new EventBusBenchmark();
        benchmark.handlers = 3;
        benchmark.fill();
        assertEquals(3, benchmark.publish());
        assertEquals(4, benchmark.publishObserved());
    }
}
