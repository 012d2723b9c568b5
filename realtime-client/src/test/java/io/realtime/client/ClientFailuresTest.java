package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.internal.connection.Failures;
import io.realtime.spi.UpgradeException;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a user learns of attempts that fail. */
@Isolated("reads the log")
class ClientFailuresTest {
    private static final Logger LOG = Logger.getLogger(Failures.class.getName());
    private final World world = new World();
    private final List<String> warnings = new ArrayList<>();
    private final Handler recorder = new Handler() {
        @Override
        public void publish(LogRecord line) {
            if (line.getLevel().equals(Level.WARNING)) {
                warnings.add(line.getMessage());
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    };
    private @Nullable IOException next = new IOException("the network is down"); // null: nothing ever comes
    private boolean isUp;

    ClientFailuresTest() {
        LOG.setLevel(Level.WARNING);
        LOG.addHandler(recorder);
        world.use(builder());
    }

    private RealtimeClient.Builder builder() {
        return world.builder()
                .transport((target, callback) -> isUp
                        ? world.network.clientTransport().connect(target, callback)
                        : world.time.schedule(Duration.ofMillis(1), () -> {
                            IOException failure = next;
                            if (failure != null) {
                                callback.failed(failure);
                            }
                        }));
    }

    @AfterEach
    void close() {
        LOG.removeHandler(recorder);
        world.close();
    }

    private static UpgradeException answer(int status, Map<String, String> headers) {
        return new UpgradeException(status, "Phrase", headers);
    }

    private static ConnectionException failure(CompletableFuture<?> failed) {
        ExecutionException failure = assertThrows(ExecutionException.class, failed::get);
        return assertInstanceOf(ConnectionException.class, failure.getCause());
    }

    @Test
    void connectThatTimesOutNamesTheLastFailure() throws Exception {
        next = answer(404, Map.of("Server", "nginx"));
        CompletableFuture<Void> connected = world.client().connect(Duration.ofSeconds(5));
        CompletableFuture<Void> patient = world.client().connect();
        world.advance(4_900);
        assertFalse(connected.isDone());
        world.advance(200);
        ConnectionException failure = failure(connected);
        assertEquals(ErrorCode.TIMEOUT, failure.code());
        assertEquals("no connection within PT5S: upgrade refused: 404 Phrase", failure.getMessage());
        assertEquals(404, failure.status());
        assertEquals("nginx", failure.headers().get("server"));
        assertTrue(failure.isPermanent());
        isUp = true;
        world.advance(60_000);
        patient.get();
        assertEquals(Status.OPEN, world.client().state().status());
    }

    @Test
    void connectInTimeLeavesNoDeadline() throws Exception {
        isUp = true;
        CompletableFuture<Void> connected = world.client().connect(Duration.ofSeconds(5));
        world.settle();
        connected.get();
        CompletableFuture<Void> again = world.client().connect(Duration.ofSeconds(5));
        world.settle();
        again.get();
        assertThrows(IllegalArgumentException.class, () -> world.client().connect(Duration.ZERO));
    }

    @Test
    void firstFailureOfSeriesIsLoggedAtOnceAndLaterOnesRarely() {
        CompletableFuture<Void> unused = world.client().connect();
        world.settle();
        assertEquals(1, warnings.size());
        String first = warnings.get(0);
        assertTrue(first.contains("attempt 1 to connect to ws://host:"), first);
        assertTrue(first.contains("the network is down"), first);
        world.advance(Duration.ofMinutes(9).toMillis());
        assertEquals(1, warnings.size());
        world.advance(Duration.ofMinutes(3).toMillis());
        assertEquals(2, warnings.size());
        isUp = true;
        world.advance(120_000);
        assertEquals(Status.OPEN, world.client().state().status());
        isUp = false;
        world.network.cutAll();
        world.advance(1_000);
        assertEquals(3, warnings.size(), "another series");
        assertEquals(List.of(), world.errors, "a network that is down is nothing to tell: the state does");
    }

    @Test
    void permanentFailureIsReportedOncePerAnswer() {
        next = answer(401, Map.of());
        CompletableFuture<Void> unused = world.client().connect();
        world.advance(20_000);
        assertEquals(1, world.errors.size());
        ConnectionException told = assertInstanceOf(ConnectionException.class, world.errors.get(0));
        assertEquals(401, told.status());
        CloseReason reason = Objects.requireNonNull(world.lastState().reason());
        assertEquals("upgrade refused: 401 Phrase", reason.text());
        next = new IOException("down");
        world.advance(60_000);
        assertEquals(1, world.errors.size());
        next = answer(404, Map.of());
        world.advance(60_000);
        assertEquals(2, world.errors.size());
        isUp = true;
        world.advance(60_000);
        assertEquals(Status.OPEN, world.client().state().status());
    }

    @ParameterizedTest
    @CsvSource({
        "200, true", "204, true", "302, true", "399, true", "400, true", "401, true", "403, true", "404, true",
        "405, true", "410, true", "426, true", "199, false", "408, false", "429, false", "500, false", "502, false",
        "503, false"
    })
    void permanentFailuresAreClassified(int status, boolean isPermanent) {
        CloseReason reason = new CloseReason(CloseReason.ABNORMAL, "");
        IOException cause = new IOException("cannot connect", answer(status, Map.of()));
        assertEquals(isPermanent, new ConnectionException(ErrorCode.CONNECTION_LOST, reason, cause).isPermanent());
    }

    @Test
    void certificateThatIsNotTrustedIsPermanentAndAnotherTlsFailureIsNot() {
        SSLHandshakeException untrusted = new SSLHandshakeException("no");
        untrusted.initCause(new CertificateException("unknown issuer"));
        CloseReason reason = new CloseReason(CloseReason.ABNORMAL, "");
        assertTrue(new ConnectionException(ErrorCode.CONNECTION_LOST, reason, untrusted).isPermanent());
        assertTrue(new ConnectionException(
                        ErrorCode.CONNECTION_LOST, reason, new SSLPeerUnverifiedException("another host"))
                .isPermanent());
        ConnectionException cut =
                new ConnectionException(ErrorCode.CONNECTION_LOST, reason, new SSLHandshakeException("cut"));
        assertFalse(cut.isPermanent());
        assertEquals(0, cut.status());
        assertEquals(Map.of(), cut.headers());
    }

    @ParameterizedTest
    @CsvSource({
        "7, 7000",
        "0, 0",
        "99999999, 3600000",
        "99999999999, 3600000",
        "00000000000000000007, 7000",
        "Tue Nov 14 2023, 0",
        "-5, 0",
        "1e3, 0",
        "'Tue, 14 Nov 2023 22:14:20 GMT', 60000",
        "'Tue, 14 Nov 2023 22:12:20 GMT', 0",
        "'Mon, 14 Nov 2023 22:14:20 GMT', 60000", // it was a Tuesday
        "'Tuesday, 14-Nov-23 22:14:20 GMT', 60000",
        "'Tuesday, 14-Nov-73 22:14:20 GMT', 3600000", // within 50 years
        "'Wednesday, 14-Nov-74 22:14:20 GMT', 0", // 1974: else it were more than 50 years away
        "'Tuesday, 32-Nov-23 22:14:20 GMT', 0",
        "'Tue Nov 14 22:14:20 2023', 60000",
        "'Fri Dec  1 00:00:00 2023', 3600000",
        "'Tue Nov 14 22:12:20 2023', 0"
    })
    void nextAttemptWaitsAsTheAnswerAsks(String value, long millis) {
        next = answer(503, Map.of("Retry-After", value));
        CompletableFuture<Void> unused = world.client().connect();
        world.settle();
        ConnectionState waiting = world.lastState();
        assertEquals(Status.WAITING, waiting.status());
        long delay = waiting.delay().toMillis();
        assertTrue(millis == 0 ? delay <= 1_000 : delay >= millis - 1_000 && delay <= millis, waiting.toString());
    }

    @Test
    void plannedRestartIsNotReportedAsFailure() {
        isUp = true;
        world.connected();
        world.peer().close(CloseReason.DRAINING);
        world.advance(60_000);
        assertEquals(Status.OPEN, world.client().state().status());
        assertEquals(List.of(), world.errors);
        assertEquals(List.of(), warnings);
    }

    @Test
    void missingWelcomeCountsAsFailure() {
        isUp = true;
        world.onHello = peer -> {};
        CompletableFuture<Void> connected = world.client().connect(Duration.ofSeconds(30));
        world.advance(30_000);
        assertEquals(
                "no connection within PT30S: no welcome within PT10S",
                failure(connected).getMessage());
        assertEquals(1, warnings.size());
    }

    @ParameterizedTest
    @CsvSource({"1011, true", "1009, true", "1012, false", "4200, false"})
    void closeBeforeWelcomeIsAFailureUnlessItMovesClients(int code, boolean isFailure) {
        isUp = true;
        world.onHello = peer -> peer.close(code);
        CompletableFuture<Void> connected = world.client().connect(Duration.ofSeconds(5));
        world.advance(5_100);
        assertEquals(isFailure ? 1 : 0, warnings.size());
        assertEquals(
                isFailure,
                String.valueOf(failure(connected).getMessage()).startsWith("no connection within PT5S: "),
                () -> failure(connected).toString());
    }

    @Test
    void eachConnectBeginsASeriesOfItsOwn() {
        next = answer(404, Map.of());
        for (int series = 1; series <= 3; series++) {
            CompletableFuture<Void> unused = world.client().connect();
            world.advance(20_000);
            assertEquals(series, world.errors.size());
            assertEquals(series, warnings.size());
            world.client().disconnect(Duration.ZERO);
            world.settle();
        }
        next = null;
        CompletableFuture<Void> connected = world.client().connect(Duration.ofSeconds(1));
        world.advance(1_000);
        assertEquals("no connection within PT1S", failure(connected).getMessage());
    }

    private static IOException longAnswer(int status) {
        String address = "ws://host/tenants/" + "path-segment/".repeat(20) + "ws";
        UpgradeException answer = answer(status, Map.of());
        return new IOException("cannot connect to " + address + ": " + answer.getMessage(), answer);
    }

    @Test
    void reasonIsToldAfterAnAddressHoweverLong() {
        next = longAnswer(404);
        CompletableFuture<Void> connected = world.client().connect(Duration.ofSeconds(5));
        world.advance(5_100);
        String full = Objects.requireNonNull(next.getMessage());
        assertEquals(full, world.errors.get(0).getMessage());
        assertTrue(warnings.get(0).endsWith(full), warnings.get(0));
        assertEquals("no connection within PT5S: " + full, failure(connected).getMessage());
        String text = Objects.requireNonNull(world.lastState().reason()).text();
        assertTrue(text.startsWith("cannot connect to ws://host/") && text.endsWith("refused: 404 Phrase"), text);
        next = longAnswer(401);
        world.advance(60_000);
        assertEquals(2, world.errors.size(), "another answer");
        assertTrue(String.valueOf(world.errors.get(1).getMessage()).endsWith("refused: 401 Phrase"));
    }

    @Test
    void connectWhoseAttemptsAreUsedUpTellsTheLastAnswer() {
        world.use(builder().backoff(Backoff.builder().maxAttempts(2).build()));
        next = longAnswer(404);
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(60_000);
        ConnectionException failure = failure(connected);
        assertEquals(next.getMessage(), failure.getMessage());
        assertEquals(404, failure.status());
        assertEquals(Status.CLOSED, world.client().state().status());
    }

    @Test
    void headersWithoutNameOrValueAreLeftOut() {
        Map<String, String> headers = new HashMap<>();
        headers.put("Retry-After", null);
        headers.put(null, "HTTP/1.1 503 Busy"); // as HttpURLConnection names the first line
        headers.put("Server", "nginx");
        next = answer(503, headers);
        assertEquals(Map.of("server", "nginx"), answer(503, headers).headers());
        CompletableFuture<Void> unused = world.client().connect();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
    }

    @Test
    void refusalOfATokenProviderIsToldInFull() {
        String why = "the account is locked: " + "call us. ".repeat(30);
        world.use(builder().token(() -> CompletableFuture.failedFuture(new TokenRefusedException(why))));
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();
        assertEquals("there is no token: " + why, failure(connected).getMessage());
    }
}
