package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.examples.PageProject.Program;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The application of docs/kotlin.md, file by file as it stands there, compiles without a warning and runs. */
@Timeout(120)
class KotlinPageIT {
    private static final String COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler";

    @TempDir
    Path folder;

    @Test
    void applicationCompilesAndRuns() throws Exception {
        try (PageProject project = new PageProject("docs/kotlin.md", folder)) {
            assertEquals(2, project.names().size(), project.names()::toString);
            project.write();
            String path = System.getProperty("java.class.path");
            List<String> options = new ArrayList<>(List.of(
                    "-no-stdlib", "-no-reflect", "-jvm-target", "17", "-Werror", "-cp", path, "-d", project.classes()));
            options.addAll(project.names());
            Program compiler = project.java(COMPILER, options.toArray(String[]::new));
            assertEquals(0, compiler.end(), () -> "it compiles: " + compiler.rest());
            Program main = project.java("MainKt");
            main.line("^Said\\(user=somebody, text=hello\\)$");
            main.line("^\\[Said\\(user=somebody, text=hello\\)]$");
            assertEquals(0, main.end());
        }
    }
}
