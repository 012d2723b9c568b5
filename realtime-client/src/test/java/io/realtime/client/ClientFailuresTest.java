package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.client.ConnectionState.Status;
import io.realtime.spi.UpgradeException;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.ArrayList;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a user learns of attempts that fail. */
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
    private IOException next = new IOException("the network is down");
    private boolean isUp;

    ClientFailuresTest() {
        LOG.setLevel(Level.WARNING);
        LOG.addHandler(recorder);
        world.use(world.builder()
                .transport((target, callback) -> isUp
                        ? world.network.clientTransport().connect(target, callback)
                        : world.time.schedule(Duration.ofMillis(1), () -> callback.failed(next))));
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
    void connectThatIsNotDoneInTimeTellsWhyTheLastAttemptFailedAndTheyGoOn() throws Exception {
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
    void connectThatIsDoneInTimeHasNoDeadlineAnyMore() throws Exception {
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
    void firstFailureOfASeriesIsLoggedAtOnceAndLaterOnesRarely() {
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
    void whatLooksPermanentIsToldOncePerAnswerThoughAttemptsGoOn() {
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
    void permanentIsWhatAnotherAttemptWillNotMend(int status, boolean isPermanent) {
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
        "Tue Nov 14 2023, 0",
        "-5, 0",
        "1e3, 0",
        "'Tue, 14 Nov 2023 22:14:20 GMT', 60000",
        "'Tue, 14 Nov 2023 22:12:20 GMT', 0"
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
    void plannedRestartIsNoFailure() {
        isUp = true;
        world.connected();
        world.peer().close(CloseReason.DRAINING);
        world.advance(60_000);
        assertEquals(Status.OPEN, world.client().state().status());
        assertEquals(List.of(), world.errors);
        assertEquals(List.of(), warnings);
    }

    @Test
    void serverThatNeverWelcomesIsAFailureToo() {
        isUp = true;
        world.onHello = peer -> {};
        CompletableFuture<Void> connected = world.client().connect(Duration.ofSeconds(30));
        world.advance(30_000);
        assertEquals(
                "no connection within PT30S: no welcome within PT10S",
                failure(connected).getMessage());
        assertEquals(1, warnings.size());
    }
}
