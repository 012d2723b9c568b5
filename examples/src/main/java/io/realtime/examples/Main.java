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

/** Picks a demo: {@code java -jar realtime-examples.jar DEMO [options]}. */
public final class Main {
    /** All went as it should. */
    static final int OK = 0;
    /** It could not be done: a port is taken, a server cannot be reached. */
    static final int FAILED = 1;
    /** It was not said rightly what to do. */
    static final int USAGE = 2;

    private static final String COMMAND = "java -jar realtime-examples.jar";
    private static final List<Demo> DEMOS =
            List.of(new PlaygroundDemo(), new ChatDemo(), new AiStreamDemo(), new VoiceDemo(), new ConsoleDemo());

    private final Terminal terminal;

    Main(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Runs a demo until it ends or the process is asked to. */
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
        ended.countDown(); // before the exit: it waits for the hook, which waits for this
        System.exit(code);
    }

    /** Ctrl-C: lets the demo say goodbye to its peers, for a moment. */
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

    /** Does what the command line says; returns the exit code. */
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
