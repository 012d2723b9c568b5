package phone;

import io.realtime.PayloadException;
import io.realtime.client.RealtimeClient;
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** What an application does on a phone. Prints what it finds. */
public final class Phone {
    private Phone() {}

    private static boolean isDesugared() {
        return !Shop.Order.class.getSuperclass().getName().equals("java.lang.Record");
    }

    public static void main(String[] args) throws Exception {
        System.out.println("record: " + (isDesugared() ? "desugared" : "kept"));
        Shop.Order order = new Shop.Order(
                7,
                Instant.EPOCH,
                Shop.Status.PAID,
                Optional.of("soon"),
                new Shop.Transfer("DE02", 3),
                List.of(new Shop.Item("tea", 1.5)),
                Map.of(Shop.Status.OPEN, 2));
        try (RealtimeClient client = RealtimeClient.builder(URI.create(args[0]))
                .codec(Shop.codec())
                .build()) {
            client.connect().get(20, TimeUnit.SECONDS);
            Shop.Order reply = client.request(Shop.PLACE, order).get(20, TimeUnit.SECONDS);
            System.out.println("reply: " + reply.equals(order));
            try {
                System.out.println("taken: " + client.request(Shop.FIND, 0L).get(20, TimeUnit.SECONDS));
            } catch (ExecutionException failed) {
                System.out.println("refused: " + (failed.getCause() instanceof PayloadException)
                        + ", " + failed.getCause().getMessage());
            }
        }
    }
}
