package io.realtime.benchmarks.load;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A server in its own process. It prints {@code PORT n} when it is ready, and ends when its input ends. */
public final class ServerProcess implements AutoCloseable {
    private static final Pattern TOTAL = Pattern.compile("Total +\\d+ +(\\d+)");

    private final Process process;
    private final BufferedReader says;
    private final int port;

    /** Starts a command and waits until its server is ready. */
    public ServerProcess(List<String> command) throws IOException {
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        says = process.inputReader(Charset.defaultCharset());
        String line = says.readLine();
        while (line != null && !line.startsWith("PORT ")) {
            // The output of the JVM itself comes before.
            line = says.readLine();
        }
        if (line == null) {
            process.destroyForcibly();
            throw new IOException("the server has not said its port: " + command);
        }
        port = Integer.parseInt(line.substring(5));
    }

    /**
     * Returns the command for a server of this class path, with this much heap. {@code -Dserver.options} of this JVM
     * are passed on.
     */
    public static List<String> java(String heap, String classPath, String mainClass, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xms" + heap,
                "-Xmx" + heap,
                "-XX:+ExitOnOutOfMemoryError"));
        String options = System.getProperty("server.options", "");
        if (!options.isEmpty()) {
            command.addAll(List.of(options.split(" ", -1)));
        }
        command.addAll(List.of("-cp", classPath, mainClass));
        command.addAll(List.of(arguments));
        return command;
    }

    public InetSocketAddress address() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
    }

    /** Returns how much processor time the process has used, in steps of 10 ms on Linux. */
    public Duration cpu() {
        return process.info().totalCpuDuration().orElse(Duration.ZERO);
    }

    /** Returns the resident memory of the process in bytes; 0 if it is not known. */
    public long resident() throws IOException {
        Path status = Path.of("/proc", Long.toString(process.pid()), "status");
        if (!Files.exists(status)) {
            return 0;
        }
        return Files.readAllLines(status).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
                .sum();
    }

    /**
     * Returns whether the process is a JVM. The signal of jcmd makes a JVM report its heap, but ends any other process.
     */
    public boolean isJvm() {
        return process.info().command().filter(path -> path.endsWith("java")).isPresent();
    }

    /** Returns the bytes of a JVM's live objects, counted after a full collection. */
    public long liveHeap() throws IOException {
        Process counting = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(process.pid()),
                        "GC.class_histogram")
                .redirectErrorStream(true)
                .start();
        try (InputStream out = counting.getInputStream()) {
            Matcher total = TOTAL.matcher(new String(out.readAllBytes(), Charset.defaultCharset()));
            if (!total.find()) {
                throw new IOException("its live heap could not be counted");
            }
            return Long.parseLong(total.group(1));
        }
    }

    /** Returns what a server of this library says that it holds. */
    public String ask() throws IOException {
        process.outputWriter(Charset.defaultCharset()).append("\n").flush();
        return String.valueOf(says.readLine());
    }

    @Override
    public void close() {
        try {
            process.getOutputStream().close();
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (IOException gone) {
            // The process has ended.
            return;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        } finally {
            process.destroyForcibly();
        }
    }
}
