package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.examples.PageProject.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The application of docs/first-server.md, file by file as it stands there but for the ports, does what the page says. */
@Timeout(180)
class FirstServerIT {
    private static final int WITH_WEBSOCKET_TO_TRY = 20;

    @TempDir
    Path folder;

    private PageProject project;
    private String socketPort = "0";
    private String webPort = "0";

    @BeforeEach
    void readPage() throws Exception {
        project = new PageProject("docs/first-server.md", folder);
        assertEquals(6, project.names().size(), project.names()::toString);
    }

    @AfterEach
    void end() {
        project.close();
    }

    /** Starts the server on the ports of the last one, and writes them into the files. */
    private Program server() throws Exception {
        project.write("8080", socketPort, "8081", webPort);
        project.compile();
        Program server = project.java("ChatServer");
        socketPort = server.line("on ws://0\\.0\\.0\\.0:(\\d+)/ws");
        webPort = server.line("^Chat on http://localhost:(\\d+)$");
        project.write("8080", socketPort, "8081", webPort);
        project.compile();
        return server;
    }

    @Test
    void linesOfOneClientReachTheOther() throws Exception {
        server();
        Program ada = join("ada", "chat:lobby");
        ada.type("hello");
        ada.line("^ada: hello$");
        Program bob = join("bob", "chat:lobby");
        bob.line("^ada: hello$"); // from the history
        bob.type("hi");
        ada.line("^bob: hi$");
        assertEquals(0, ada.end());
        assertEquals(0, bob.end());
    }

    @Test
    void roomOfTheStaffIsForStaff() throws Exception {
        server();
        join("ada", "chat:staff");
        project.java("ChatClient", "bob", "chat:staff").line("^joining is not allowed$");
    }

    @Test
    void lineTypedDuringRestartArrivesOnce() throws Exception {
        Program server = server();
        Program ada = join("ada", "chat:lobby");
        server.process.destroy(); // as Ctrl-C does
        server.process.waitFor();
        ada.type("still there?");
        server();
        ada.line("^ada: still there\\?$");
        ada.type("good");
        ada.line("^ada: good$");
        assertEquals(
                1, ada.past().stream().filter(line -> line.contains("still")).count(), ada.past()::toString);
    }

    @Test
    void pageShowsHistoryAndWhoIsTyping() throws Exception {
        server();
        Program ada = join("ada", "chat:lobby");
        ada.type("hello");
        ada.line("^ada: hello$");
        int version = Node.require(WITH_WEBSOCKET_TO_TRY);
        List<String> command = new ArrayList<>(List.of("node"));
        if (version < Node.WITH_WEBSOCKET) {
            command.add("--experimental-websocket");
        }
        command.add(Path.of("src/test/js/page.mjs").toAbsolutePath().toString());
        command.addAll(List.of("index.html", "http://localhost:" + webPort + "/?user=bob"));
        Program page = project.run(command);
        page.line("^ada: hello$");
        page.type("hi");
        ada.line("^bob is typing$");
        ada.line("^bob: hi$");
        page.line("^bob: hi$");
    }

    private Program join(String user, String room) throws Exception {
        Program client = project.java("ChatClient", user, room);
        client.line("^you are in " + room + "$");
        return client;
    }

    /** Maven builds the same files in CI. */
    @Test
    void pageShowsTheProjectThatIsBuilt() throws Exception {
        for (String name : project.names()) {
            assertEquals(Files.readString(Path.of("../it/first-server", name)), project.text(name), name);
        }
    }

    /** The build has proved what it names: every dependency in the page's pom has the version that this test runs with. */
    @Test
    void pomNamesTheVersionsOfThisBuild() throws Exception {
        String parent = Files.readString(Path.of("..", "pom.xml"));
        Matcher dependency = Pattern.compile("<groupId>([^<]+)</groupId>\\s*<artifactId>([^<]+)</artifactId>\\s*"
                        + "<version>([^<]+)</version>\\s*</dependency>")
                .matcher(project.text("pom.xml"));
        List<String> names = new ArrayList<>();
        while (dependency.find()) {
            names.add(dependency.group(2));
            String property = switch (dependency.group(1)) {
                case "io.realtime" -> "version";
                case "com.auth0" -> "java-jwt.version";
                default -> "slf4j.version";
            };
            String expected = '<' + property + '>' + dependency.group(3) + "</" + property + '>';
            assertTrue(parent.contains(expected), expected);
        }
        assertEquals(List.of("realtime-server", "realtime-client", "java-jwt", "slf4j-jdk14"), names);
    }
}
