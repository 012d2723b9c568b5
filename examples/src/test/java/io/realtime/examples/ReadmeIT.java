package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The programs of README's first screen do what it says, as somebody would copy them: each with its {@code main}. */
@Timeout(120)
class ReadmeIT {
    @TempDir
    Path classes;

    private final List<Process> running = new ArrayList<>();

    @AfterEach
    void endAll() {
        running.forEach(Process::destroyForcibly);
    }

    @Test
    void programsOfTheFirstScreenTalk() throws Exception {
        String readme = Files.readString(Path.of("..", "README.md"), StandardCharsets.UTF_8);
        List<String> files = javaOf(readme);
        assertEquals(3, files.size(), "contract, server and client");
        compile(files, 0);
        Process server = start("ChatServer");
        int port = portOf(server);
        compile(files, port);
        for (int i = 0; i < 3; i++) { // the server goes on
            Process client = start("ChatClient");
            List<String> printed = client.inputReader().lines().toList();
            assertEquals(0, client.waitFor(), printed::toString);
            assertTrue(readme.contains('`' + printed.get(0) + '`'), printed::toString);
            assertEquals(1, printed.size(), printed::toString);
        }
        assertTrue(server.isAlive(), "the server runs until it is closed");
    }

    private static List<String> javaOf(String page) {
        List<String> files = new ArrayList<>();
        Matcher blocks = Pattern.compile("```java\\n(.*?)```", Pattern.DOTALL).matcher(page);
        while (blocks.find()) {
            files.add(blocks.group(1));
        }
        return files;
    }

    private void compile(List<String> files, int port) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        assertNotNull(compiler, "a JDK runs the tests");
        List<JavaFileObject> sources = new ArrayList<>();
        for (String file : files) {
            Matcher name = Pattern.compile("(?:class|interface) (\\w+)").matcher(file);
            assertTrue(name.find(), file);
            sources.add(new Source(name.group(1), file.replace("8080", String.valueOf(port))));
        }
        List<String> options =
                List.of("-d", classes.toString(), "-cp", System.getProperty("java.class.path"), "-proc:none");
        assertTrue(compiler.getTask(null, null, null, options, null, sources).call(), "it compiles");
    }

    private Process start(String main) throws IOException {
        String path = classes + File.pathSeparator + System.getProperty("java.class.path");
        String java = ProcessHandle.current().info().command().orElseThrow();
        ProcessBuilder command = new ProcessBuilder(java, "-XX:TieredStopAtLevel=1", "-cp", path, main);
        Process process = command.redirectErrorStream(main.equals("ChatServer"))
                .redirectInput(ProcessBuilder.Redirect.PIPE)
                .start();
        running.add(process);
        return process;
    }

    /** Reads where the server listens from what it says at INFO. */
    private static int portOf(Process server) throws IOException {
        BufferedReader lines = server.inputReader();
        Pattern said = Pattern.compile("on ws://[^ ]*:(\\d+)/ws");
        List<String> all = new ArrayList<>();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            all.add(line);
            Matcher where = said.matcher(line);
            if (where.find()) {
                return Integer.parseInt(where.group(1));
            }
        }
        throw new AssertionError("it ended, and said " + all);
    }

    private static final class Source extends SimpleJavaFileObject {
        private final String text;

        Source(String name, String text) {
            super(URI.create("string:///" + name + ".java"), Kind.SOURCE);
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }
    }
}
