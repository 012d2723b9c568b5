package io.realtime.examples.attacks;

import io.realtime.examples.Child;
import io.realtime.examples.attacks.AttackedServer.Status;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** An {@link AttackedServer} that runs, and what it says. For one thread. */
final class ServerProcess implements AutoCloseable {
    private static final List<String> JVM = List.of("-Xmx128m", "-XX:+ExitOnOutOfMemoryError");

    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>(); // one for each question
    private final Child child;
    private final int port;

    /** @param identity a file with the certificate and key for TLS, or null for none */
    ServerProcess(String transport, @Nullable Path identity) throws IOException, InterruptedException {
        List<String> args = new ArrayList<>();
        args.add(transport);
        args.add(String.valueOf(Scale.HANDSHAKE_TIMEOUT.toMillis()));
        if (identity != null) {
            args.add(identity.toString());
        }
        child = new Child(JVM, AttackedServer.class, lines::add, args.toArray(new String[0]));
        port = Integer.parseInt(answer().replace("port ", ""));
    }

    int port() {
        return port;
    }

    boolean isAlive() {
        return child.isAlive();
    }

    Status status() throws IOException, InterruptedException {
        return AttackedServer.GSON.fromJson(ask("status"), Status.class);
    }

    /** Returns the status behind a garbage collection. */
    Status collect() throws IOException, InterruptedException {
        return AttackedServer.GSON.fromJson(ask("collect"), Status.class);
    }

    /** Has it publish so many messages of 1 KiB to a room, and waits until it has. */
    void broadcast(String room, int count, int perSecond) throws IOException, InterruptedException {
        ask("broadcast " + room + " " + count + " " + perSecond);
    }

    private String ask(String question) throws IOException, InterruptedException {
        child.tell(question);
        return answer();
    }

    private String answer() throws IOException, InterruptedException {
        String line = lines.poll(120, TimeUnit.SECONDS);
        if (line == null) {
            throw new IOException("no answer of the server, which is " + (isAlive() ? "alive" : "dead"));
        }
        return line;
    }

    @Override
    public void close() {
        child.close();
    }
}
