package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import io.realtime.Event;
import io.realtime.client.RealtimeClient;
import io.realtime.gson.AsString;
import io.realtime.gson.GsonCodec;
import io.realtime.jackson.JacksonCodec;
import io.realtime.server.RealtimeServer;
import io.realtime.spi.PayloadCodec;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The code of docs/payloads.md: it runs here, and stands there to the letter but for what a reader has of their own. */
class PayloadsPageTest {
    // @start contract
    interface Shop {
        enum Status {
            OPEN,
            PAID
        }

        sealed interface Payment permits Card, Transfer {}

        record Card(String number) implements Payment {}

        record Transfer(String iban, LocalDate due) implements Payment {}

        record Order(@AsString long id, Instant placed, Status status, Optional<String> note, Payment payment) {
            public Order {
                Objects.requireNonNull(payment, "payment is required");
            }
        }

        Event<Order> ORDERED = Event.of("shop.ordered", Order.class);
    }
    // @end

    interface Animal {}

    record Cat(String name) implements Animal {}

    record Dog(String name) implements Animal {}

    record Money(long cents) {}

    record Sale(Animal animal, Money price, long id) {}

    private static final class MoneyAdapter extends TypeAdapter<Money> {
        @Override
        public void write(JsonWriter out, Money value) throws IOException {
            out.value(value.cents() + " cents");
        }

        @Override
        public Money read(JsonReader in) throws IOException {
            return new Money(Long.parseLong(in.nextString().replace(" cents", "")));
        }
    }

    private static final Event<Sale> SOLD = Event.of("sold", Sale.class);
    private static final Event<Money> PRICED = Event.of("priced", Money.class);

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final List<Object> heard = new ArrayList<>();

    @Test
    void orderIsOnTheWireAsThePageShowsIt() throws IOException {
        Shop.Payment payment = new Shop.Transfer("DE02", LocalDate.of(2026, 4, 1));
        Instant placed = Instant.parse("2026-03-29T01:30:00Z");
        Shop.Order order = new Shop.Order(9_007_199_254_740_993L, placed, Shop.Status.PAID, Optional.empty(), payment);
        StringWriter json = new StringWriter();
        GsonCodec.create().mapper(Shop.Order.class).write(order, json);
        assertTrue(Files.readString(Path.of("../docs/payloads.md")).contains("\n" + json + "\n"), json.toString());
        StringWriter same = new StringWriter();
        JacksonCodec.create().mapper(Shop.Order.class).write(order, same);
        assertEquals(json.toString(), same.toString());
    }

    @Test
    void salesTravelBySharedAdapters() {
        // @start adapters
        GsonCodec codec = GsonCodec.builder()
                .longsAsStrings()
                .subtypes(Animal.class, Cat.class, Dog.class)
                .adapter(Money.class, new MoneyAdapter())
                .build();
        var builder = RealtimeServer.builder().codec(codec)
                // @end
                ;
        assertArrives(SOLD, new Sale(new Dog("Rex"), new Money(5), Long.MAX_VALUE), builder, codec);
    }

    @Test
    void ordersTravelByJackson() {
        // @start jackson
        JacksonCodec codec = JacksonCodec.create();
        var builder = RealtimeServer.builder().codec(codec)
                // @end
                ;
        Shop.Payment payment = new Shop.Card("4242");
        Shop.Order order = new Shop.Order(1, Instant.EPOCH, Shop.Status.OPEN, Optional.of("fragile"), payment);
        assertArrives(Shop.ORDERED, order, builder, codec);
    }

    @Test
    void priceTravelsByTheMapperOfAnApplication() {
        ObjectMapper objectMapper = new ObjectMapper();
        // @start mapper
        JacksonCodec codec = JacksonCodec.of(objectMapper);
        // @end
        assertArrives(PRICED, new Money(5), RealtimeServer.builder().codec(codec), codec);
    }

    private <T> void assertArrives(Event<T> event, T value, RealtimeServer.Builder builder, PayloadCodec codec) {
        RealtimeServer server = builder.anonymous()
                .port(0)
                .transport(network.serverTransport())
                .scheduler(time)
                .executor(time)
                .on(event, (session, message) -> heard.add(message.data()))
                .build()
                .start();
        RealtimeClient client = RealtimeClient.builder(URI.create("ws://server:" + server.port() + "/ws"))
                .codec(codec)
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time)
                .build();
        var connected = client.connect();
        var sent = client.send(event, value);
        time.advance(Duration.ofSeconds(1));
        connected.join();
        sent.join();
        assertEquals(List.of(value), heard);
        client.close(Duration.ZERO);
        server.close(Duration.ZERO);
        time.advance(Duration.ofSeconds(10));
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/payloads.md",
                PayloadsPageTest.class,
                List.of("contract", "adapters", "jackson", "mapper"),
                code -> code.replace("varbuilder=", ""));
    }
}
