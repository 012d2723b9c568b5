package io.realtime.examples;

import java.io.BufferedReader;
import java.io.PrintStream;

/**
 * Where a demo reads and writes; a test passes its own.
 *
 * @param in what is typed
 * @param out what is shown
 * @param err what went wrong
 */
record Terminal(BufferedReader in, PrintStream out, PrintStream err) {}
