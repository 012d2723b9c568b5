package io.realtime.examples.chat;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A PostgreSQL server of the tests' own, in a folder of its own. It runs where {@code initdb} and {@code pg_ctl} are
 * installed; elsewhere the tests are skipped. It refuses to run as root, so then it runs as the user of the package.
 */
public final class PostgreSql implements AutoCloseable {
    private static final Path DEBIAN = Path.of("/usr/lib/postgresql");
    private static final String PACKAGE_USER = "postgres";
    private static final int ATTEMPTS = 5;

    private final Path programs;
    private final Path folder;
    private int port;

    private PostgreSql(Path programs, Path folder) {
        this.programs = programs;
        this.folder = folder;
    }

    /** Starts a server without data, or skips the test. */
    public static PostgreSql start() throws Exception {
        Path programs = programs();
        if (programs == null || (isRoot() && !exists(PACKAGE_USER))) {
            return abort("there is no PostgreSQL that this user can run");
        }
        Path folder = Files.createTempDirectory("chat-postgresql");
        if (isRoot()) {
            run(List.of("chown", PACKAGE_USER, folder.toString()));
        }
        PostgreSql server = new PostgreSql(programs, folder);
        server.program("initdb", "-D", server.data(), "-U", "chat", "-A", "trust", "-E", "UTF8", "--no-sync");
        // A port that is free now may be taken a moment later.
        for (int attempt = 1; ; attempt++) {
            server.port = freePort();
            try {
                server.up();
                server.program("createdb", "-h", "127.0.0.1", "-p", "" + server.port, "-U", "chat", "chat");
                return server;
            } catch (IOException taken) {
                if (attempt == ATTEMPTS) {
                    throw taken;
                }
            }
        }
    }

    public String url() {
        return "jdbc:postgresql://127.0.0.1:" + port + "/chat?user=chat";
    }

    /** Starts it again, on its port and with its data. */
    public void up() throws IOException {
        String options =
                "-c port=" + port + " -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off";
        program("pg_ctl", "-D", data(), "-l", folder.resolve("log").toString(), "-w", "-o", options, "start");
    }

    /** Stops it at once, as a crash does. */
    public void down() throws IOException {
        program("pg_ctl", "-D", data(), "-w", "-m", "immediate", "stop");
    }

    @Override
    public void close() throws IOException {
        if (Files.exists(Path.of(data(), "postmaster.pid"))) {
            down();
        }
        program(Path.of("/bin/rm"), "-rf", data(), folder.resolve("log").toString());
        Files.delete(folder);
    }

    private String data() {
        return folder.resolve("data").toString();
    }

    private void program(String name, String... arguments) throws IOException {
        program(programs.resolve(name), arguments);
    }

    private void program(Path file, String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        if (isRoot()) {
            command.addAll(List.of("runuser", "-u", PACKAGE_USER, "--"));
        }
        command.add(file.toString());
        command.addAll(Arrays.asList(arguments));
        run(command);
    }

    private static void run(List<String> command) throws IOException {
        // A server that pg_ctl starts inherits its output, so that is a file: a pipe would not end.
        Path output = Files.createTempFile("chat-postgresql", ".out");
        try {
            Process process = new ProcessBuilder(command)
                    .directory(Path.of("/").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            boolean ended = waitFor(process);
            if (!ended || process.exitValue() != 0) {
                process.destroyForcibly();
                throw new IOException(command + ": " + Files.readString(output));
            }
        } finally {
            Files.delete(output);
        }
    }

    private static boolean waitFor(Process process) throws IOException {
        try {
            return process.waitFor(60, TimeUnit.SECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for a program of PostgreSQL");
        }
    }

    private static @Nullable Path programs() throws IOException {
        List<Path> folders = new ArrayList<>(Stream.of(System.getenv("PATH").split(java.io.File.pathSeparator))
                .map(Path::of)
                .toList());
        if (Files.isDirectory(DEBIAN)) {
            try (Stream<Path> versions = Files.list(DEBIAN)) {
                versions.map(version -> version.resolve("bin")).forEach(folders::add);
            }
        }
        return folders.stream()
                .filter(folder -> Files.isExecutable(folder.resolve("initdb"))
                        && Files.isExecutable(folder.resolve("createdb"))
                        && Files.isExecutable(folder.resolve("pg_ctl")))
                .findFirst()
                .orElse(null);
    }

    private static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    private static boolean exists(String user) throws IOException {
        Process id = new ProcessBuilder("id", user).redirectErrorStream(true).start();
        String told = new String(id.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return waitFor(id) && id.exitValue() == 0 && told.contains(user);
    }

    private static int freePort() throws IOException {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return free.getLocalPort();
        }
    }
}
