package io.realtime.benchmarks.load;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A server to compare.
 *
 * @param missing why it cannot be started here; null if it can
 */
record Candidate(
        String name,
        Dialect dialect,
        List<String> command,
        @Nullable String missing) {
    static final String BASE = "raw Netty";
    static final String DEFAULT = "Realtime on java-websocket";
    static final String NETTY = "Realtime on Netty";
    static final String BEFORE = " before";
    private static final String HEAP = "2g";
    private static final Path PEERS = Path.of("benchmarks", "peers");

    /**
     * @param before a jar of an earlier build of these benchmarks, whose servers of this library take part too; or
     *     empty
     */
    static List<Candidate> all(String before) {
        List<Candidate> all = new ArrayList<>();
        all.add(own(BASE, Dialect.RAW, "RawNetty"));
        all.add(own(DEFAULT, Dialect.REALTIME, "Realtime", "java-websocket"));
        all.add(own(DEFAULT + " without log", Dialect.REALTIME, "Realtime", "java-websocket", "none"));
        all.add(own(NETTY, Dialect.REALTIME, "Realtime", "netty"));
        all.add(own(NETTY + " without log", Dialect.REALTIME, "Realtime", "netty", "none"));
        if (!before.isEmpty()) {
            all.add(own(before, DEFAULT + BEFORE, Dialect.REALTIME, "Realtime", "java-websocket"));
            all.add(own(before, NETTY + BEFORE, Dialect.REALTIME, "Realtime", "netty"));
        }
        all.add(own("raw Netty merged", Dialect.RAW, "RawNetty", "merged"));
        all.add(own("raw Java-WebSocket", Dialect.RAW, "RawJavaWebSocket"));
        all.add(peer("Vert.x", Dialect.RAW, "vertx", "VertxServer"));
        all.add(peer("netty-socketio", Dialect.SOCKET_IO, "netty-socketio", "NettySocketIoServer"));
        all.add(peer("Spring STOMP", Dialect.STOMP, "spring-stomp", "SpringStompServer"));
        all.add(node("Node ws", Dialect.RAW, "ws.js"));
        all.add(node("Node socket.io", Dialect.SOCKET_IO, "socketio.js"));
        return all;
    }

    ServerProcess start() throws IOException {
        return new ServerProcess(command);
    }

    private static Candidate own(String name, Dialect dialect, String mainClass, String... arguments) {
        return own(System.getProperty("java.class.path"), name, dialect, mainClass, arguments);
    }

    private static Candidate own(
            String classPath, String name, Dialect dialect, String mainClass, String... arguments) {
        return new Candidate(
                name,
                dialect,
                ServerProcess.java(HEAP, classPath, "io.realtime.benchmarks.servers." + mainClass, arguments),
                null);
    }

    private static Candidate peer(String name, Dialect dialect, String folder, String mainClass) {
        Path target = PEERS.resolve(folder).resolve("target");
        String classPath =
                target.resolve("classes") + System.getProperty("path.separator") + target.resolve("lib") + "/*";
        return new Candidate(
                name,
                dialect,
                ServerProcess.java(HEAP, classPath, "io.realtime.benchmarks.peers." + mainClass),
                Files.isDirectory(target.resolve("lib")) ? null : "not built: " + PEERS.resolve(folder));
    }

    private static Candidate node(String name, Dialect dialect, String script) {
        Path folder = PEERS.resolve("node");
        return new Candidate(
                name,
                dialect,
                List.of("node", folder.resolve(script).toString()),
                Files.isDirectory(folder.resolve("node_modules")) ? null : "no Node, or not installed: " + folder);
    }
}
