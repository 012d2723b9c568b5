package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/** The whole files that a page shows, each behind its name, in a folder of their own; and the processes that run them. */
final class PageProject implements AutoCloseable {
    static final String JAVA = ProcessHandle.current().info().command().orElseThrow();

    private static final Pattern FILE = Pattern.compile("`([\\w./-]+)`\\n```\\w+\\n(.*?)```", Pattern.DOTALL);

    private final Path folder;
    private final Map<String, String> files = new LinkedHashMap<>();
    private final List<Program> running = new ArrayList<>();

    PageProject(String page, Path folder) throws IOException {
        this.folder = folder;
        Matcher found = FILE.matcher(Files.readString(Path.of("..", page)));
        while (found.find()) {
            files.put(found.group(1), found.group(2));
        }
    }

    /** Returns the files' names, in the page's order. */
    List<String> names() {
        return List.copyOf(files.keySet());
    }

    String text(String name) {
        return Objects.requireNonNull(files.get(name), name);
    }

    /** Writes all files with these texts in place of others: what it replaces, and by what, in turns. */
    void write(String... replacements) throws IOException {
        for (Map.Entry<String, String> file : files.entrySet()) {
            String text = file.getValue();
            for (int i = 0; i < replacements.length; i += 2) {
                text = text.replace(replacements[i], replacements[i + 1]);
            }
            Path path = folder.resolve(file.getKey());
            Files.createDirectories(Objects.requireNonNull(path.getParent()));
            Files.writeString(path, text);
        }
    }

    /** Compiles all Java files that were written, with the class path of this test. */
    void compile() {
        compile("-cp", System.getProperty("java.class.path"));
    }

    /** Compiles all Java files that were written. */
    void compile(String... paths) {
        List<String> options =
                new ArrayList<>(List.of("-Xlint:all,-requires-automatic", "-Werror", "-proc:none", "-d", classes()));
        options.addAll(List.of(paths));
        names().stream()
                .filter(name -> name.endsWith(".java"))
                .forEach(name -> options.add(folder.resolve(name).toString()));
        int code = ToolProvider.getSystemJavaCompiler().run(null, null, null, options.toArray(String[]::new));
        assertEquals(0, code, "it compiles");
    }

    /** Returns where classes are compiled to. */
    String classes() {
        return folder.resolve("target").resolve("classes").toString();
    }

    /** Starts a main class that was compiled. */
    Program java(String main, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                JAVA,
                "-XX:TieredStopAtLevel=1",
                "-cp",
                classes() + File.pathSeparator + System.getProperty("java.class.path"),
                main));
        command.addAll(Arrays.asList(arguments));
        return run(command);
    }

    /** Starts a program in the folder. */
    Program run(List<String> command) throws IOException {
        Program program = new Program(new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start());
        running.add(program);
        return program;
    }

    @Override
    public void close() {
        running.forEach(Program::close);
    }

    /** A process, and what it prints on either stream. */
    static final class Program implements AutoCloseable {
        private static final long PATIENCE_SECONDS = 30;

        final Process process;
        private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        private final List<String> all = new ArrayList<>();

        private Program(Process process) {
            this.process = process;
            Thread reader = new Thread(() -> read(process.getInputStream()), "program-" + process.pid());
            reader.setDaemon(true);
            reader.start();
        }

        private void read(InputStream out) {
            try {
                new BufferedReader(new InputStreamReader(out, StandardCharsets.UTF_8))
                        .lines()
                        .forEach(lines::add);
            } catch (UncheckedIOException killed) {
                lines.add("(its output has ended: " + killed.getMessage() + ")");
            }
        }

        /** Waits for a line in which the pattern is found, and returns its first group, or the line. */
        String line(String regex) throws InterruptedException {
            Pattern pattern = Pattern.compile(regex);
            for (String line = next(); line != null; line = next()) {
                all.add(line);
                Matcher matcher = pattern.matcher(line);
                if (matcher.find()) {
                    return matcher.groupCount() > 0 ? matcher.group(1) : line;
                }
            }
            throw new AssertionError("no line " + regex + " in " + all);
        }

        private @Nullable String next() throws InterruptedException {
            return lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }

        /** Returns the lines that {@link #line} has passed or returned. */
        List<String> past() {
            return List.copyOf(all);
        }

        /** Returns the lines that came since. */
        List<String> rest() {
            return List.copyOf(lines);
        }

        void type(String line) throws IOException {
            process.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().flush();
        }

        /** Ends the input, and returns the exit code. */
        int end() throws IOException, InterruptedException {
            process.getOutputStream().close();
            return process.waitFor();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
