package io.realtime.examples;

import java.io.BufferedReader;
import java.io.PrintStream;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Where a demo reads and writes; a test passes its own.
 *
 * @param in what is typed
 * @param out what is shown
 * @param err what went wrong
 * @param environment the value of a variable of the environment, or null
 */
record Terminal(BufferedReader in, PrintStream out, PrintStream err, Function<String, @Nullable String> environment) {}
