import static org.junit.jupiter.api.Assertions.assertEquals;

import com.android.tools.r8.D8;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.spi.ToolProvider;
import org.java_websocket.WebSocket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import phone.Phone;
import phone.Shop;

/** A phone's build makes other classes of records and sealed types: these run here, on the JVM, against a server. */
@Timeout(120)
class AndroidTest {
    /** As the server sends it, whatever its own records would refuse. */
    private static final Request<Long, JsonObject> FIND = Request.of("shop.find", Long.class, JsonObject.class);

    @TempDir
    Path folder;

    @Test
    void desugaredClassesTalkToServerAndKeepTheirConstructors() throws Exception {
        Path desugared = folder.resolve("phone.jar");
        List<String> command = new ArrayList<>(List.of(
                D8.class.getName(),
                "--classfile",
                "--min-api",
                "26",
                "--lib",
                System.getProperty("android.jar"),
                "--output",
                desugared.toString()));
        for (Class<?> of : List.of(
                Phone.class, RealtimeClient.class, Event.class, Gson.class, WebSocket.class, Logger.class)) {
            command.add(jar(of).toString());
        }
        assertEquals("", java(home(D8.class), command), "D8 warns of nothing");

        JsonObject unfit = new JsonObject();
        unfit.addProperty("id", 0);
        try (RealtimeServer server = RealtimeServer.builder()
                .port(0)
                .anonymous()
                .onRequest(Shop.PLACE, (session, order) -> order)
                .onRequest(FIND, (session, id) -> unfit)
                .build()
                .start()) {
            String said = java(
                    desugared, List.of(Phone.class.getName(), "ws://127.0.0.1:" + server.port() + "/ws"));
            assertEquals("record: desugared\nreply: true\nrefused: true, id is below 1\n", said);
        }
    }

    private static Path home(Class<?> of) throws Exception {
        return Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI());
    }

    /** Returns the jar that a class comes from, made when there is none. */
    private Path jar(Class<?> of) throws Exception {
        Path home = home(of);
        if (!Files.isDirectory(home)) {
            return home;
        }
        Path jar = folder.resolve(of.getSimpleName() + ".jar");
        ToolProvider tool = ToolProvider.findFirst("jar").orElseThrow();
        assertEquals(0, tool.run(System.out, System.err, "-cf", jar.toString(), "-C", home.toString(), "."));
        return jar;
    }

    /** Runs a program and returns all that it says. */
    private static String java(Path from, List<String> command) throws Exception {
        String log = home(org.slf4j.nop.NOPServiceProvider.class).toString();
        List<String> whole = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                from + File.pathSeparator + log));
        whole.addAll(command);
        Process program = new ProcessBuilder(whole).redirectErrorStream(true).start();
        try {
            String said = new String(program.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            program.waitFor(60, TimeUnit.SECONDS);
            return said.replace("\r", "");
        } finally {
            program.destroyForcibly();
        }
    }
}
