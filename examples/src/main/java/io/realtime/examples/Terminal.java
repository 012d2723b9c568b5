package io.realtime.examples;

import java.io.BufferedReader;
import java.io.PrintStream;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The input and output of a demo. A test passes its own.
 *
 * @param in what the user types
 * @param out what is shown
 * @param err error messages
 * @param environment returns the value of an environment variable, or null
 */
record Terminal(BufferedReader in, PrintStream out, PrintStream err, Function<String, @Nullable String> environment) {}
