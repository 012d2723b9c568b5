package io.realtime.examples;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The words behind a demo's name: {@code --name value} pairs, and whatever is not a pair. */
final class Options {
    private final Map<String, String> values = new LinkedHashMap<>();
    private final List<String> words = new ArrayList<>();
    private final String usage;

    private Options(String usage) {
        this.usage = usage;
    }

    /**
     * Reads a command line.
     *
     * @param usage what is right, for whoever got it wrong
     * @param allowed the names, without their dashes
     * @throws UsageException for a name that is not allowed, stands twice, or has no value
     */
    static Options parse(List<String> line, String usage, List<String> allowed) {
        Options options = new Options(usage);
        for (Iterator<String> rest = line.iterator(); rest.hasNext(); ) {
            String word = rest.next();
            if (!word.startsWith("--")) {
                options.words.add(word);
                continue;
            }
            String name = word.substring(2);
            if (!allowed.contains(name)) {
                throw options.wrong("unknown option " + word);
            }
            if (!rest.hasNext()) {
                throw options.wrong(word + " needs a value");
            }
            if (options.values.put(name, rest.next()) != null) {
                throw options.wrong(word + " stands twice");
            }
        }
        return options;
    }

    /** Returns the words that are no pairs; there must be exactly so many. */
    List<String> words(int count) {
        if (words.size() > count) {
            throw wrong("unexpected '" + words.get(count) + "'");
        }
        if (words.size() < count) {
            throw wrong("something is missing");
        }
        return words;
    }

    @Nullable
    String text(String name) {
        return values.get(name);
    }

    String requireText(String name) {
        String value = values.get(name);
        if (value == null || value.isEmpty()) {
            throw wrong("--" + name + " is missing");
        }
        return value;
    }

    int number(String name, int otherwise, int min, int max) {
        String value = values.get(name);
        if (value == null) {
            return otherwise;
        }
        try {
            int number = Integer.parseInt(value);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException unfit) {
            throw wrong("--" + name + " '" + value + "' is not a number");
        }
        throw wrong("--" + name + " " + value + " is not " + min + " to " + max);
    }

    UsageException wrong(String what) {
        return new UsageException(what + System.lineSeparator() + "usage: " + usage);
    }
}
