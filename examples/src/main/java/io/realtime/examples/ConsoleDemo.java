package io.realtime.examples;

import io.realtime.Message;
import io.realtime.RealtimeException;
import io.realtime.client.ClientListener;
import io.realtime.client.ClientRoom;
import io.realtime.client.ConnectionState;
import io.realtime.client.DroppedMessage;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.Chat.Said;
import io.realtime.examples.Chat.Say;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/** The Java client in a terminal. */
final class ConsoleDemo implements Demo {
    private static final int HISTORY = 20;
    private static final int LEAVE_SECONDS = 5;

    @Override
    public String name() {
        return "console";
    }

    @Override
    public String summary() {
        return "the Java client in a terminal: talks in a room of the playground or the chat";
    }

    @Override
    public Options.Spec options() {
        return Options.spec()
                .argument("URL", "the server: the socket line of the playground or the chat")
                .option("--token", "T", "who to be: a token that the server accepts (required)")
                .option("--room", "R", "where to talk; the demos allow chat:… (default chat:lobby)");
    }

    @Override
    public int run(Options options, Terminal terminal) throws InterruptedException {
        URI address = address(options.require("URL"));
        String token = options.require("--token");
        String named = options.find("--room");
        String room = named == null ? "chat:lobby" : named;
        Talk talk = new Talk(terminal);
        RealtimeClient client;
        ClientRoom joined;
        try {
            client = RealtimeClient.builder(address).token(token).listener(talk).build();
            joined = client.room(room);
        } catch (IllegalArgumentException wrong) {
            throw new UsageException(String.valueOf(wrong.getMessage()));
        }
        try (client) {
            terminal.out().println("-- /quit or end of input leaves");
            return talk.in(client, joined);
        }
    }

    private static URI address(String text) {
        try {
            return new URI(text);
        } catch (URISyntaxException wrong) {
            // The exception's message would quote a query, and a query may contain a token.
            throw new UsageException("URL is no address of the form ws://host:port/path");
        }
    }

    /** One conversation. The listener's methods and the handlers run on the client's callback thread. */
    private static final class Talk implements ClientListener {
        private final Terminal terminal;
        private final PrintStream out;
        private final CompletableFuture<Integer> over = new CompletableFuture<>();
        private final AtomicInteger unacknowledged = new AtomicInteger();
        // The last message. Messages are acknowledged in order.
        private CompletableFuture<?> last = CompletableFuture.completedFuture(null);

        Talk(Terminal terminal) {
            this.terminal = terminal;
            this.out = terminal.out();
        }

        int in(RealtimeClient client, ClientRoom room) throws InterruptedException {
            client.on(Chat.SAID, this::show);
            client.connect().exceptionally(failure -> {
                fail("cannot connect", failure);
                return null;
            });
            room.join(HISTORY)
                    .thenAccept(joined -> out.println("-- in " + room.name() + ", " + joined.members() + " here"))
                    .exceptionally(failure -> {
                        fail("cannot join " + room.name(), failure);
                        return null;
                    });
            // A read from a terminal cannot be interrupted, so it has a thread that may be left running.
            Thread reader = new Thread(() -> read(room), "console-input");
            reader.setDaemon(true);
            reader.start();
            try {
                return over.get();
            } catch (ExecutionException impossible) {
                throw new IllegalStateException(impossible);
            }
        }

        private void read(ClientRoom room) {
            try {
                for (String line = terminal.in().readLine();
                        line != null && !line.strip().equals("/quit");
                        line = terminal.in().readLine()) {
                    if (!line.isBlank()) {
                        say(room, line);
                    }
                }
            } catch (IOException unreadable) {
                out.println("-- input: " + unreadable.getMessage());
            }
            over.complete(leave());
        }

        private void say(ClientRoom room, String line) {
            Say say;
            try {
                say = new Say(line, UUID.randomUUID().toString());
            } catch (IllegalArgumentException unfit) {
                out.println("-- not sent: " + unfit.getMessage());
                return;
            }
            unacknowledged.incrementAndGet();
            last = room.send(Chat.SAY, say).handle((acknowledged, failure) -> {
                unacknowledged.decrementAndGet();
                if (failure != null && !over.isDone()) {
                    out.println("-- not sent: " + words(failure));
                }
                return failure == null;
            });
        }

        /** Waits a short time for messages in flight. */
        private int leave() {
            try {
                last.get(LEAVE_SECONDS, TimeUnit.SECONDS);
            } catch (TimeoutException late) {
                terminal.err().println("console: left with " + unacknowledged.get() + " messages not acknowledged");
                return Main.FAILED;
            } catch (ExecutionException impossible) {
                throw new IllegalStateException(impossible);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                return Main.FAILED;
            }
            out.println("-- left");
            return Main.OK;
        }

        private void show(Message<Said> message) {
            String where = switch (message.requireRoom()) {
                case "@user" -> " (to you)";
                case "@all" -> " (to everyone)";
                default -> "";
            };
            out.println(message.data().user() + where + ": " + message.data().text());
        }

        private void fail(String what, Throwable failure) {
            if (!over.isDone()) {
                terminal.err().println("console: " + what + ": " + words(failure));
                over.complete(Main.FAILED);
            }
        }

        @Override
        public void onState(ConnectionState state) {
            String why = state.reason() == null ? "" : " (" + state.reason() + ")";
            String line = switch (state.status()) {
                case IDLE -> "idle";
                case CONNECTING -> "connecting";
                case OPEN -> "connected";
                case WAITING ->
                    "offline" + why + ", trying again in " + state.delay().toMillis() + " ms";
                case CLOSED -> "closed" + why;
            };
            out.println("-- " + line);
            if (state.status() == ConnectionState.Status.CLOSED) {
                fail("the connection is over", new IllegalStateException(String.valueOf(state.reason())));
            }
        }

        @Override
        public void onError(Throwable failure) {
            out.println("-- error: " + words(failure));
        }

        @Override
        public void onDropped(DroppedMessage message) {
            if (!over.isDone()) {
                out.println("-- dropped: " + message.cause().getMessage());
            }
        }

        @Override
        public void onGap(Gap gap) {
            out.println("-- some messages in " + gap.room() + " were missed for good");
        }

        private static String words(Throwable failure) {
            Throwable cause =
                    failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
            String code = cause instanceof RealtimeException known ? " (" + known.code() + ")" : "";
            return cause.getMessage() + code;
        }
    }
}
