package io.realtime.benchmarks.cuts;

import io.realtime.benchmarks.load.ServerProcess;
import io.realtime.testing.FaultProxy;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The same chat on several libraries, through connections that are cut. It counts which messages of one member the
 * other receives. Server and members are processes with a proxy between them. A cut resets all connections. Each
 * candidate is configured as its documentation recommends, and reconnects after about a second.
 */
public final class Cuts {
    private static final Path NODE = Path.of("benchmarks", "peers", "node");
    private static final Duration ONE_WAY = Duration.ofMillis(25);
    private static final long EVERY_MILLIS = 100;

    private final PrintStream out;
    private final int cuts;
    private final Duration between;
    private final Duration quiet;
    private final int messages;

    /** Creates a test of twelve cuts. They are far enough apart that no client takes the server for broken. */
    public Cuts(PrintStream out) {
        this(out, 12, Duration.ofSeconds(12), Duration.ofSeconds(35));
    }

    /**
     * @param quiet a chat is over if nothing was heard for this time; longer than any client waits before it
     *     reconnects
     */
    Cuts(PrintStream out, int cuts, Duration between, Duration quiet) {
        this.out = out;
        this.cuts = cuts;
        this.between = between;
        this.quiet = quiet;
        this.messages = (int) (between.multipliedBy(cuts + 1).toMillis() / EVERY_MILLIS);
    }

    /** What happened to the messages of one chat. */
    record Result(int lost, int doubled, int late) {}

    /**
     * Runs all chats at once, and prints a table of what was lost and doubled.
     *
     * @throws Exception if one of them cannot run
     */
    public void print() throws Exception {
        Map<String, Callable<Result>> chats = new LinkedHashMap<>();
        chats.put("Plain WebSocket", () -> node("ws"));
        chats.put("Socket.IO", () -> node("socket.io"));
        chats.put("Socket.IO with connection state recovery and retries", () -> node("socket.io-recovery"));
        chats.put("Realtime", this::realtime);
        ExecutorService threads = Executors.newFixedThreadPool(chats.size());
        try {
            List<Future<Result>> results = threads.invokeAll(chats.values());
            out.printf("### %,d messages through %d cuts%n%n", messages, cuts);
            out.println("| | lost | twice | out of order |");
            out.println("| --- | --- | --- | --- |");
            int next = 0;
            for (String name : chats.keySet()) {
                Result result = results.get(next++).get();
                out.printf("| %s | %,d | %,d | %,d |%n", name, result.lost(), result.doubled(), result.late());
            }
        } finally {
            threads.shutdown();
        }
    }

    private Result node(String kind) throws IOException, InterruptedException {
        if (!Files.isDirectory(NODE.resolve("node_modules"))) {
            throw new IOException("there is no Node, or not installed: " + NODE);
        }
        return run(command("chat-server.js", kind), command("chat-clients.js", kind));
    }

    private static List<String> command(String script, String kind) {
        return List.of("node", NODE.resolve(script).toString(), kind);
    }

    /** Runs the chat on this library. */
    Result realtime() throws IOException, InterruptedException {
        List<String> main = ServerProcess.java("256m", System.getProperty("java.class.path"), Chat.class.getName());
        return run(main, main);
    }

    private Result run(List<String> server, List<String> members) throws IOException, InterruptedException {
        try (ServerProcess serving = new ServerProcess(server);
                FaultProxy proxy = FaultProxy.to(serving.address())) {
            proxy.delay(ONE_WAY);
            List<String> command = new ArrayList<>(members);
            command.addAll(
                    List.of(String.valueOf(proxy.port()), String.valueOf(messages), String.valueOf(EVERY_MILLIS)));
            Process talking = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try {
                return count(heard(talking, proxy), messages);
            } finally {
                talking.destroyForcibly();
            }
        }
    }

    /** Cuts the connections during the chat, and returns what is heard until nothing more arrives. */
    private List<Integer> heard(Process talking, FaultProxy proxy) throws IOException, InterruptedException {
        BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        BufferedReader says = talking.inputReader(Charset.defaultCharset());
        String first = says.readLine();
        if (!"READY".equals(first)) {
            throw new IOException("the members said " + first);
        }
        Thread reader = new Thread(() -> says.lines().forEach(lines::add), "cuts-reader");
        reader.setDaemon(true);
        reader.start();
        for (int cut = 0; cut < cuts; cut++) {
            Thread.sleep(between.toMillis());
            proxy.cutAll();
        }
        List<Integer> heard = new ArrayList<>();
        boolean isSent = false;
        for (String line = next(lines); line != null || !isSent; line = next(lines)) {
            if ("SENT".equals(line)) {
                isSent = true;
            } else if (line != null) {
                heard.add(Integer.valueOf(line));
            } else if (!talking.isAlive()) {
                throw new IOException("the members ended");
            }
        }
        return heard;
    }

    private @Nullable String next(BlockingQueue<String> lines) throws InterruptedException {
        return lines.poll(quiet.toMillis(), TimeUnit.MILLISECONDS);
    }

    static Result count(List<Integer> heard, int messages) {
        Set<Integer> different = new HashSet<>();
        int late = 0;
        int last = 0;
        for (int n : heard) {
            if (different.add(n)) {
                late += n < last ? 1 : 0;
                last = Math.max(last, n);
            }
        }
        return new Result(messages - different.size(), heard.size() - different.size(), late);
    }
}
