package io.realtime.examples;

import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.DroppedMessage;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.Chat.Say;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The Java client in a terminal: what is typed is sent, what arrives and what happens to the connection is shown. */
final class ConsoleDemo implements Demo {
    private static final long LAST_ACKNOWLEDGEMENT_SECONDS = 5;

    @Override
    public String usage() {
        return "console URL --token T --room R";
    }

    @Override
    public String summary() {
        return "the Java client in a terminal: type to send, /quit to leave";
    }

    @Override
    public void run(List<String> line, Terminal terminal) throws InterruptedException {
        Options options = Options.parse(line, usage(), List.of("token", "room"));
        String url = options.words(1).get(0);
        String token = options.requireText("token");
        String room = options.requireText("room");
        RealtimeClient.Builder builder;
        try {
            builder = RealtimeClient.builder(URI.create(url)).token(token);
        } catch (IllegalArgumentException bad) {
            throw options.wrong("bad URL '" + url + "': " + bad.getMessage());
        }
        try (RealtimeClient client = builder.listener(new Narrator(terminal)).build()) {
            client.on(
                    Chat.SAID,
                    said -> terminal.out()
                            .println(said.data().user() + ": " + said.data().text()));
            CompletableFuture<Void> ended = client.connect();
            CompletableFuture<?> joined = client.room(room).join().exceptionally(failure -> {
                terminal.err().println("cannot join " + room + ": " + failure.getMessage());
                throw new CompletionException(failure);
            });
            CompletableFuture<Void> last = talk(client, room, terminal);
            if (ended.isCompletedExceptionally() || joined.isCompletedExceptionally()) {
                return; // why has been said
            }
            last.get(LAST_ACKNOWLEDGEMENT_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException unacknowledged) {
            terminal.err().println("left before the server had acknowledged everything");
        } catch (ExecutionException failed) {
            terminal.err().println(String.valueOf(failed.getCause()));
        }
    }

    /** Sends line by line; returns the fate of the last one. */
    private static CompletableFuture<Void> talk(RealtimeClient client, String room, Terminal terminal) {
        CompletableFuture<Void> last = CompletableFuture.completedFuture(null);
        try {
            for (String typed = terminal.in().readLine();
                    typed != null;
                    typed = terminal.in().readLine()) {
                if (typed.equals("/quit")) {
                    break;
                }
                if (!typed.isBlank()) {
                    last = client.room(room).send(Chat.SAY, new Say(typed));
                }
            }
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
        return last;
    }

    private record Narrator(Terminal terminal) implements ClientListener {
        @Override
        public void onState(ConnectionState state) {
            terminal.out().println("* " + state);
        }

        @Override
        public void onError(Throwable failure) {
            terminal.err().println("* " + failure.getMessage());
        }

        @Override
        public void onDropped(DroppedMessage message) {
            terminal.err().println("* not sent: " + message);
        }

        @Override
        public void onGap(String room) {
            terminal.out().println("* messages of " + room + " were missed");
        }
    }
}
