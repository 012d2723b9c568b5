package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import io.realtime.server.SessionListener;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The code of docs/requests.md: it runs here, and stands there to the letter but for ports. */
@Timeout(60)
class RequestsPageTest {
    // @start contracts
    interface Shop {
        record Order(String item, int count) {}

        Request<Order, Integer> PRICE = Request.of("shop.price", Order.class, Integer.class);
        Request<String, Boolean> CONFIRM = Request.of("shop.confirm", String.class, Boolean.class);
        StreamRequest<String, String> STORY = StreamRequest.of("shop.story", String.class, String.class);
    }
    // @end

    /** What has words to say. */
    private static final class Model {
        void words(String about, Consumer<String> out) {
            List.of("Once", "there was", about).forEach(out);
        }
    }

    private final Model model = new Model();
    private final BlockingQueue<Session> sessions = new LinkedBlockingQueue<>();
    private final Queue<String> shown = new ConcurrentLinkedQueue<>();
    private final View view = new View();

    private final class View implements StreamListener<String> {
        void price(int cents) {
            shown.add(cents + " cents");
        }

        CompletableFuture<Boolean> askUser(String question) {
            shown.add(question);
            return CompletableFuture.completedFuture(true);
        }

        void append(String words) {
            shown.add(words);
        }

        void complete() {
            shown.add(".");
        }

        void broken(Throwable why) {
            shown.add(String.valueOf(why));
        }

        @Override
        public void onItem(String item) {
            append(item);
        }
    }

    private RealtimeServer start() {
        return RealtimeServer.builder()
                .port(0)
                .anonymous()
                .listener(new SessionListener() {
                    @Override
                    public void onOpen(Session session) {
                        sessions.add(session);
                    }
                })
                // @start server
                .onRequest(Shop.PRICE, (session, order) -> 250 * order.count())
                .onStream(Shop.STORY, (session, about, out) -> model.words(about, out::send)) // waits for the reader
                // @end
                .build()
                .start();
    }

    @Test
    @SuppressWarnings("FutureReturnValueIgnored") // as an application does that shows what comes
    void pageCodeRuns() throws Exception {
        try (RealtimeServer server = start();
                RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                        .build()) {
            // @start client
            client.request(Shop.PRICE, new Shop.Order("tea", 3)).thenAccept(cents -> view.price(cents));
            client.request(Shop.PRICE, new Shop.Order("tea", 1), Duration.ofMinutes(1)); // also while offline
            // @end
            // @start answer
            client.onRequestAsync(Shop.CONFIRM, request -> view.askUser(request)); // when the user has clicked
            // @end
            client.connect().get(10, TimeUnit.SECONDS);
            await().until(() -> shown.contains("750 cents"));
            Session session = sessions.poll(10, TimeUnit.SECONDS);
            // @start ask
            CompletableFuture<Boolean> sure = session.request(Shop.CONFIRM, "Really all of it?");
            // @end
            assertEquals(true, sure.get(10, TimeUnit.SECONDS));
            shown.clear();
            // @start stream
            Subscription story = client.stream(Shop.STORY, "a kettle", new StreamListener<String>() {
                @Override
                public void onItem(String words) {
                    view.append(words); // the next are asked for as this returns
                }

                @Override
                public void onEnd() {
                    view.complete();
                }

                @Override
                public void onError(Throwable why) {
                    view.broken(why);
                }
            });
            // later, when the user has had enough: story.close();
            // @end
            await().until(() -> shown.contains("."));
            assertEquals(List.of("Once", "there was", "a kettle", "."), List.copyOf(shown));
            story.close();
        }
        ShownCode.assertStandsIn(
                "docs/requests.md",
                RequestsPageTest.class,
                List.of("contracts", "server", "client", "answer", "ask", "stream"),
                UnaryOperator.identity());
    }
}
