package io.realtime.examples;

import io.realtime.RealtimeException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Picks a demo: {@code java -jar realtime-examples.jar DEMO [options]}. */
public final class Main {
    private static final int OK = 0;
    private static final int FAILED = 1;
    private static final int WRONG_USAGE = 2;
    private static final Map<String, Demo> DEMOS = new LinkedHashMap<>();

    static {
        DEMOS.put("chat", new ChatDemo());
        DEMOS.put("playground", new PlaygroundDemo());
        DEMOS.put("console", new ConsoleDemo());
    }

    private Main() {}

    /** Runs a demo and exits: 0 when it ended, 1 when it failed, 2 when the command line is wrong. */
    public static void main(String[] args) {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()));
        System.exit(run(List.of(args), new Terminal(in, System.out, System.err)));
    }

    static int run(List<String> line, Terminal terminal) {
        if (line.isEmpty() || line.get(0).equals("--help")) {
            terminal.out().println("java -jar realtime-examples.jar DEMO [options]");
            terminal.out().println();
            for (Map.Entry<String, Demo> demo : DEMOS.entrySet()) {
                terminal.out()
                        .printf("  %-11s %s%n", demo.getKey(), demo.getValue().summary());
                terminal.out().printf("  %-11s   %s%n", "", demo.getValue().usage());
            }
            return OK;
        }
        Demo demo = DEMOS.get(line.get(0));
        if (demo == null) {
            terminal.err()
                    .println("unknown demo '" + line.get(0) + "'; there are: " + String.join(", ", DEMOS.keySet()));
            return WRONG_USAGE;
        }
        try {
            demo.run(line.subList(1, line.size()), terminal);
            return OK;
        } catch (UsageException wrong) {
            terminal.err().println(wrong.getMessage());
            return WRONG_USAGE;
        } catch (RealtimeException failed) {
            terminal.err().println(failed.getMessage());
            return FAILED;
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            return OK;
        }
    }
}
