package io.realtime.examples;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The command line of a demo: {@code --name value} or {@code --name=value}, {@code --flag}, and arguments without a
 * name. Immutable.
 */
final class Options {
    private final Map<String, String> values;

    private Options(Map<String, String> values) {
        this.values = Map.copyOf(values);
    }

    /** Returns an empty specification, to which options are added in the order that the help shows. */
    static Spec spec() {
        return new Spec();
    }

    /** Returns a value, or null if it was not given. */
    @Nullable
    String find(String name) {
        return values.get(name);
    }

    /** Returns whether a value or a flag was given. */
    boolean has(String name) {
        return values.containsKey(name);
    }

    /**
     * Returns a value that the demo needs.
     *
     * @throws UsageException if it was not given
     */
    String require(String name) {
        String value = find(name);
        if (value == null || value.isBlank()) {
            throw new UsageException(name + " is missing");
        }
        return value;
    }

    /**
     * Returns a number.
     *
     * @param otherwise the result if it was not given
     * @throws UsageException if it is not a number, or not within the bounds
     */
    int number(String name, int otherwise, int min, int max) {
        String value = find(name);
        if (value == null) {
            return otherwise;
        }
        try {
            int number = Integer.parseInt(value);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException notOne) {
            // Reported below.
        }
        throw new UsageException(name + " must be a number from " + min + " to " + max + ", not '" + value + "'");
    }

    /**
     * Returns one of these words, or null if it was not given.
     *
     * @throws UsageException if it is another word
     */
    @Nullable
    String choice(String name, List<String> words) {
        String value = find(name);
        if (value != null && !words.contains(value)) {
            throw new UsageException(name + " must be " + String.join(" or ", words) + ", not '" + value + "'");
        }
        return value;
    }

    /** Returns a port; 0 makes the system choose one. */
    int port(String name, int otherwise) {
        return number(name, otherwise, 0, 65_535);
    }

    /** The options of a demo, and their parser. */
    static final class Spec {
        private final List<String> arguments = new ArrayList<>();
        private final Map<String, String> options = new LinkedHashMap<>();
        private final List<String> help = new ArrayList<>();

        private Spec() {}

        /** Adds an argument without a name; {@link Options#require} returns it by this word. */
        Spec argument(String word, String meaning) {
            arguments.add(word);
            help.add(String.format("  %-24s %s", word, meaning));
            return this;
        }

        /** Adds an option with a value, {@code --port N}. */
        Spec option(String name, String value, String meaning) {
            options.put(name, value);
            help.add(String.format("  %-24s %s", name + " " + value, meaning));
            return this;
        }

        /** Adds an option without a value, {@code --quietly}. */
        Spec flag(String name, String meaning) {
            options.put(name, "");
            help.add(String.format("  %-24s %s", name, meaning));
            return this;
        }

        /** Returns one line that shows all options: {@code URL [--room R]}. */
        String usage() {
            List<String> words = new ArrayList<>(arguments);
            options.forEach((name, value) -> words.add("[" + (name + " " + value).strip() + "]"));
            return String.join(" ", words);
        }

        /** Returns one line for each argument and option. */
        List<String> help() {
            return List.copyOf(help);
        }

        /**
         * Parses a command line.
         *
         * @throws UsageException for the first word that is invalid; the message names it and says what is valid
         */
        Options parse(List<String> words) {
            Map<String, String> values = new HashMap<>();
            Iterator<String> expected = arguments.iterator();
            for (Iterator<String> rest = words.iterator(); rest.hasNext(); ) {
                String word = rest.next();
                if (!word.startsWith("-")) {
                    if (!expected.hasNext()) {
                        throw new UsageException("'" + word + "' is one too many; " + takes());
                    }
                    values.put(expected.next(), word);
                    continue;
                }
                int equals = word.indexOf('=');
                String name = equals < 0 ? word : word.substring(0, equals);
                String placeholder = options.get(name);
                if (placeholder == null) {
                    throw new UsageException("unknown option " + name + "; " + takes());
                }
                String joined = equals < 0 ? null : word.substring(equals + 1);
                String value =
                        placeholder.isEmpty() ? withoutValue(name, joined) : value(name, placeholder, joined, rest);
                if (values.putIfAbsent(name, value) != null) {
                    throw new UsageException(name + " is given twice");
                }
            }
            return new Options(values);
        }

        private static String withoutValue(String name, @Nullable String joined) {
            if (joined != null) {
                throw new UsageException(name + " takes no value");
            }
            return "given";
        }

        private static String value(String name, String placeholder, @Nullable String joined, Iterator<String> rest) {
            String value = joined != null ? joined : rest.hasNext() ? rest.next() : "";
            // An option in place of a value means that the value was forgotten. A value that begins with two hyphens
            // needs '='.
            if (value.isEmpty() || (joined == null && value.startsWith("--"))) {
                throw new UsageException(name + " needs a value: " + name + " " + placeholder);
            }
            return value;
        }

        private String takes() {
            String names = options.entrySet().stream()
                    .map(option -> (option.getKey() + " " + option.getValue()).strip())
                    .collect(Collectors.joining(", "));
            return "options are " + names;
        }
    }
}
