package io.realtime.jackson;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.TypeRef;
import io.realtime.client.RealtimeClient;
import io.realtime.gson.AsString;
import io.realtime.gson.GsonCodec;
import io.realtime.server.RealtimeServer;
import io.realtime.spi.PayloadCodec;
import io.realtime.testing.TestEnvironment;
import io.realtime.testing.TestEnvironmentExtension;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** One contract, without an annotation of either library, whichever codec the server and the client have. */
@ExtendWith(TestEnvironmentExtension.class)
class JacksonContractTest {
    interface Shop {
        enum Status {
            OPEN,
            PAID
        }

        sealed interface Payment permits Card, Transfer {}

        record Card(String number) implements Payment {}

        record Transfer(String iban, LocalDate due, Duration grace) implements Payment {}

        record Item(String name, BigDecimal price, short count) {}

        record Order(
                @AsString long id,
                Instant placed,
                Status status,
                Optional<String> note,
                Payment payment,
                List<Item> items,
                List<Byte> seal,
                Map<String, Object> more) {
            public Order {
                Objects.requireNonNull(payment, "payment is required");
            }
        }

        /** What another version of the client has for an order. */
        record Bare(@AsString long id, List<Map<String, Object>> items) {}

        Event<Order> ORDERED = Event.of("ordered", Order.class);
        Request<Order, List<Order>> TWICE = Request.of("twice", new TypeRef<Order>() {}, new TypeRef<List<Order>>() {});
        Request<Bare, List<Order>> BARE = Request.of("twice", new TypeRef<Bare>() {}, new TypeRef<List<Order>>() {});
    }

    static Stream<Arguments> codecs() {
        PayloadCodec jackson = JacksonCodec.create();
        PayloadCodec gson = GsonCodec.create();
        return Stream.of(Arguments.of(jackson, jackson), Arguments.of(jackson, gson), Arguments.of(gson, jackson));
    }

    private static RealtimeServer start(TestEnvironment test, PayloadCodec codec) {
        return test.autoClose(RealtimeServer.builder()
                .codec(codec)
                .anonymous()
                .port(0)
                .transport(test.network().serverTransport())
                .scheduler(test.time())
                .executor(test.time())
                .on(Shop.ORDERED, (session, message) -> session.send(Shop.ORDERED, message.data()))
                .onRequest(Shop.TWICE, (session, order) -> List.of(order, order))
                .build()
                .start());
    }

    private static RealtimeClient connect(TestEnvironment test, RealtimeServer server, PayloadCodec codec) {
        RealtimeClient client = test.autoClose(RealtimeClient.builder(test.uri(server.port()))
                .codec(codec)
                .transport(test.network().clientTransport())
                .scheduler(test.time())
                .callbackExecutor(test.time())
                .build());
        test.await(client.connect());
        return client;
    }

    private static Shop.Order order(Shop.Payment payment, Optional<String> note) {
        return new Shop.Order(
                9_007_199_254_740_993L,
                Instant.parse("2026-03-29T01:30:00.000000001Z"),
                Shop.Status.PAID,
                note,
                payment,
                List.of(new Shop.Item("tea", new BigDecimal("1.10"), (short) -3)),
                List.of((byte) -1, (byte) 127),
                Map.of("id", 9_007_199_254_740_993L, "ratio", 0.1, "exact", new BigDecimal("0.12345678901234567890")));
    }

    @ParameterizedTest
    @MethodSource("codecs")
    void orderArrivesAsItWasSent(PayloadCodec servers, PayloadCodec clients, TestEnvironment test) {
        RealtimeClient client = connect(test, start(test, servers), clients);
        Shop.Order card = order(new Shop.Card("4242"), Optional.of("fragile"));
        Shop.Order transfer =
                order(new Shop.Transfer("DE02", LocalDate.of(2026, 4, 1), Duration.ofDays(2)), Optional.empty());
        List<Shop.Order> heard = new ArrayList<>();
        client.on(Shop.ORDERED, message -> heard.add(message.data()));
        test.await(client.send(Shop.ORDERED, card));
        assertEquals(List.of(transfer, transfer), test.await(client.request(Shop.TWICE, transfer)));
        test.settle();
        assertEquals(List.of(card), heard);
    }

    @ParameterizedTest
    @MethodSource("codecs")
    void whatDoesNotFitIsToldToItsSender(PayloadCodec servers, PayloadCodec clients, TestEnvironment test) {
        RealtimeClient client = connect(test, start(test, servers), clients);
        assertEquals("payment is required", refusal(test, client, new Shop.Bare(1, List.of())));
        assertEquals(
                "$.items[1].count: the number does not fit",
                refusal(test, client, new Shop.Bare(1, Arrays.asList(Map.of("count", 1), Map.of("count", 32_768)))));
    }

    private static String refusal(TestEnvironment test, RealtimeClient client, Shop.Bare unfit) {
        var failed = assertThrows(CompletionException.class, () -> test.await(client.request(Shop.BARE, unfit)));
        RemoteException refused = assertInstanceOf(RemoteException.class, failed.getCause());
        assertEquals(ErrorCode.BAD_DATA, refused.code());
        return refused.getMessage();
    }
}
