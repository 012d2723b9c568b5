package phone;

import io.realtime.Request;
import io.realtime.gson.GsonCodec;
import io.realtime.gson.Required;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The contract of a phone and its server. */
public interface Shop {
    enum Status {
        OPEN,
        PAID
    }

    sealed interface Payment permits Card, Transfer {}

    record Card(String number) implements Payment {}

    record Transfer(String iban, int days) implements Payment {}

    @Required
    record Item(String name, double price) {}

    record Order(
            long id,
            Instant placed,
            Status status,
            Optional<String> note,
            Payment payment,
            List<Item> items,
            Map<Status, Integer> counts) {
        public Order {
            if (id < 1) {
                throw new IllegalArgumentException("id is below 1");
            }
        }
    }

    /** Answered by the same order. */
    Request<Order, Order> PLACE = Request.of("shop.place", Order.class, Order.class);

    /** Answered by an order that its constructor refuses. */
    Request<Long, Order> FIND = Request.of("shop.find", Long.class, Order.class);

    /** A phone does not know which classes a sealed interface permits. */
    static GsonCodec codec() {
        return GsonCodec.builder()
                .subtypes(Payment.class, Card.class, Transfer.class)
                .build();
    }
}
