package io.realtime.examples;

import io.realtime.RealtimeException;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** The entry point of the examples' jar: {@code java -jar realtime-examples.jar DEMO [options]}. */
public final class Main {
    /** The exit code of success. */
    static final int OK = 0;
    /** The exit code of a failure, for example a port that is taken or a server that cannot be reached. */
    static final int FAILED = 1;
    /** The exit code of an invalid command line. */
    static final int USAGE = 2;

    private static final String COMMAND = "java -jar realtime-examples.jar";
    private static final List<Demo> DEMOS =
            List.of(new PlaygroundDemo(), new ChatDemo(), new AiStreamDemo(), new VoiceDemo(), new ConsoleDemo());

    private final Terminal terminal;

    Main(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Runs a demo until it ends or the process is asked to end. */
    public static void main(String[] args) {
        Thread demo = Thread.currentThread();
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(demo, ended), "stop"));
        Terminal terminal = new Terminal(
                new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset())),
                System.out,
                System.err,
                System::getenv);
        int code = new Main(terminal).run(args);
        // Before the exit: exit waits for the hook, which waits for this.
        ended.countDown();
        System.exit(code);
    }

    /** Handles Ctrl-C: gives the demo a moment to close its connections. */
    private static void stop(Thread demo, CountDownLatch ended) {
        if (ended.getCount() == 0) {
            return;
        }
        demo.interrupt();
        try {
            if (!ended.await(6, TimeUnit.SECONDS)) {
                System.err.println("the demo did not end in time");
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Runs the command line and returns the exit code. */
    int run(String... args) {
        if (args.length == 0 || isHelp(args[0])) {
            help();
            return OK;
        }
        Demo demo =
                DEMOS.stream().filter(d -> d.name().equals(args[0])).findFirst().orElse(null);
        if (demo == null) {
            String names = DEMOS.stream().map(Demo::name).collect(Collectors.joining(", "));
            terminal.err().println("unknown demo '" + args[0] + "'; demos are " + names);
            return USAGE;
        }
        List<String> words = Arrays.asList(args).subList(1, args.length);
        if (words.stream().anyMatch(Main::isHelp)) {
            help(demo);
            return OK;
        }
        try {
            return demo.run(demo.options().parse(words), terminal);
        } catch (UsageException wrong) {
            terminal.err().println(demo.name() + ": " + wrong.getMessage());
            return USAGE;
        } catch (RealtimeException failed) {
            terminal.err().println(demo.name() + ": " + failed.getMessage());
            return FAILED;
        } catch (InterruptedException asked) {
            return OK;
        }
    }

    private static boolean isHelp(String word) {
        return word.equals("--help") || word.equals("-h");
    }

    private void help() {
        terminal.out().println("usage: " + COMMAND + " DEMO [options]");
        terminal.out().println();
        DEMOS.forEach(demo -> terminal.out().printf("  %-12s %s%n", demo.name(), demo.summary()));
        terminal.out().println();
        terminal.out().println("DEMO --help shows the options of one.");
    }

    private void help(Demo demo) {
        terminal.out()
                .println("usage: " + COMMAND + " " + demo.name() + " "
                        + demo.options().usage());
        terminal.out().println(demo.summary());
        terminal.out().println();
        demo.options().help().forEach(terminal.out()::println);
    }
}
