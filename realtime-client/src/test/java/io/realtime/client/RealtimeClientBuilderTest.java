package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RealtimeClientBuilderTest {
    private static String refusal(Runnable misuse) {
        return String.valueOf(
                assertThrows(IllegalArgumentException.class, misuse::run).getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://host/ws",
                "host/ws",
                "ws:///ws",
                "ws://:80/ws",
                "ws://h:65536/ws",
                "wss://h/ws#there",
                "ws:x"
            })
    void anAddressThatIsNoneIsRefusedByName(String address) {
        String message = refusal(() -> RealtimeClient.builder(URI.create(address)));
        assertTrue(message.contains(address.replaceAll("#.*", "")) || message.contains("ws"), message);
    }

    @Test
    void aRefusalNamesNoSecret() {
        assertFalse(refusal(() -> RealtimeClient.builder(URI.create("http://h/ws?token=geheim")))
                .contains("geheim"));
        for (String address : List.of("ws://u:geheim@h/ws", "http://u:geheim@h/ws", "ws://u:geheim@under_score/ws")) {
            assertFalse(
                    refusal(() -> RealtimeClient.builder(URI.create(address))).contains("geheim"));
        }
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("ws://h/ws"));
        assertFalse(refusal(() -> builder.token("geheim\r\nX: y")).contains("geheim"));
        String header = refusal(() -> builder.header("X-Key", "geheim\r\n"));
        assertTrue(header.contains("X-Key") && !header.contains("geheim"), header);
    }

    @Test
    void contradictionsAreRefused() {
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("ws://h/ws"));
        assertTrue(refusal(() -> builder.connectTimeout(Duration.ZERO)).contains("PT0S"));
        assertTrue(refusal(() -> builder.header("Host", "x")).contains("Host"));
        assertTrue(refusal(() -> builder.header("a b", "x")).contains("a b"));
        assertTrue(refusal(() -> OutboxLimits.builder().messages(0).build()).contains("0"));
    }

    @Test
    void aMethodReferenceIsATokenProvider() {
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("WSS://h/ws"));
        builder.token(this::fresh).token(TokenProvider.blocking(() -> "t"));
        try (RealtimeClient client = builder.build()) {
            assertEquals("RealtimeClient{wss://h/ws, " + client.state() + "}", client.toString());
        }
    }

    private CompletionStage<String> fresh() {
        return CompletableFuture.completedFuture("fresh");
    }

    @Test
    void aBlockingSourceIsAskedOnAnotherThread() {
        Thread caller = Thread.currentThread();
        TokenProvider provider = TokenProvider.blocking(() -> Thread.currentThread() == caller ? "same" : "other");
        assertEquals("other", provider.token().toCompletableFuture().join());
    }

    @Test
    void limitsThatContradictAreRefusedNamingBoth() {
        RealtimeClient.Builder builder =
                RealtimeClient.builder(URI.create("ws://host/ws")).messageBytes(8 << 20);
        IllegalStateException refusal = assertThrows(IllegalStateException.class, builder::build);
        assertEquals("messageBytes 8388608 exceeds inboundBytes 8388608 less 256", refusal.getMessage());
        builder.inboundBytes((8 << 20) + 256).build().close();
    }

    @Test
    void limitsBeyondReasonAreRefusedNamingTheValue() {
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("ws://host/ws"));
        assertEquals("outboundBytes 67108865 is above 67108864", refusal(() -> builder.outboundBytes((64 << 20) + 1)));
        assertEquals("outboundBytes 2047 is below 2048", refusal(() -> builder.outboundBytes(2047)));
        assertEquals("inboundBytes 2047 is below 2048", refusal(() -> builder.inboundBytes(2047)));
        Duration forever = ChronoUnit.FOREVER.getDuration();
        assertEquals("tokenTimeout " + forever + " is above PT24H", refusal(() -> builder.tokenTimeout(forever)));
        assertEquals("connectTimeout " + forever + " is above PT24H", refusal(() -> builder.connectTimeout(forever)));
        assertEquals("tokenTimeout PT0S is not positive", refusal(() -> builder.tokenTimeout(Duration.ZERO)));
    }
}
