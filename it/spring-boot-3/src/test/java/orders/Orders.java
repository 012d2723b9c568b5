package orders;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.realtime.Request;
import java.time.Instant;

/** What the server says, with an annotation that only Jackson knows. */
interface Orders {
    record Order(String orderId, @JsonProperty("count") int quantity, Instant placedAt) {}

    Request<Integer, Order> PLACE = Request.of("order.place", Integer.class, Order.class);
}
