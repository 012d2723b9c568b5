package io.realtime.internal.wire;

import com.google.gson.JsonSyntaxException;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.Reader;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Reads one payload after another. A reader of Gson's has 2.3 KB of buffers, which it gets when it is made and which no
 * payload of a chat fills; it knows no way to begin again. So one reads an array that never ends: {@code
 * [[first],[second],...}, each payload in brackets of its own. Who has read a payload must stand at its closing bracket,
 * else the reader is not used again: an adapter that takes too much or too little of a payload never touches the next.
 *
 * <p>Readers wait for their next payload in {@link #IDLE}; one that was taken is for one thread.
 */
final class PayloadReader extends JsonReader {
    private static final int MOST_NAMES = 16; // of an object, that are compared one by one
    private static final int PLACES = 64;
    private static final int APART = 16; // references in a line of the processor's cache

    /** By thread, so that two rarely look in the same place; not in the threads, which may outlive the class. */
    private static final AtomicReferenceArray<@Nullable PayloadReader> IDLE =
            new AtomicReferenceArray<>(PLACES * APART);

    private final Feed feed;
    private int depth;

    // The names that stand in the objects that are open, one behind the other; a set where there are many.
    private String[] names = new String[MOST_NAMES];
    private final int[] begins = new int[Json.MAX_NESTING_FROM_SERVER + 3];
    private final @Nullable Set<String>[] sets;
    private int named;

    @SuppressWarnings({"unchecked", "rawtypes"})
    private PayloadReader(Feed feed) {
        super(feed);
        this.sets = new Set[begins.length];
        this.feed = feed;
    }

    /** Returns a reader that waits for a payload. */
    static PayloadReader take() {
        PayloadReader idle = IDLE.getAndSet(place(), null);
        return idle == null ? new PayloadReader(new Feed()) : idle;
    }

    private static int place() {
        return (int) (Thread.currentThread().getId() % PLACES) * APART;
    }

    /**
     * Goes to a payload.
     *
     * @param text holds the payload in JSON that was checked before: one value, no deeper than frames may be
     */
    @SuppressWarnings("deprecation") // what came for it has been in Gson since 2.11 only
    void begin(String text, int from, int to) throws IOException {
        setLenient(false); // an adapter may have changed it, and then "NaN" would be a number
        feed.give(text, from, to);
        if (depth == 0) {
            beginArray(); // the one that never ends
        }
        beginArray();
    }

    /** The payload has been read: waits for the next, if it stands where it should. */
    void end() {
        try {
            if (depth == 2 && peek() == JsonToken.END_ARRAY) {
                endArray();
                feed.rest();
                IDLE.lazySet(place(), this);
            }
        } catch (IOException | RuntimeException more) {
            // of an adapter that did not take its value whole: the next payload gets another reader
        }
    }

    /** Returns a place in the payload from one in what this has read: {@code $.x} for {@code $[17][0].x}. */
    static String path(String path) {
        int payload = path.indexOf(']', path.indexOf(']') + 1);
        return payload < 0 ? path : "$" + path.substring(payload + 1);
    }

    @Override
    public void beginArray() throws IOException {
        super.beginArray();
        depth++;
    }

    @Override
    public void endArray() throws IOException {
        super.endArray();
        depth--;
    }

    @Override
    public void beginObject() throws IOException {
        super.beginObject();
        begins[depth++] = named;
    }

    @Override
    public void endObject() throws IOException {
        super.endObject();
        depth--;
        Arrays.fill(names, begins[depth], named, null);
        named = begins[depth];
        sets[depth] = null;
    }

    /** Refuses a name that stands in its object twice: of two values one would be lost. */
    @Override
    public String nextName() throws IOException {
        String name = super.nextName();
        requireWhole(name);
        int begin = begins[depth - 1];
        boolean isNew = true;
        if (named - begin < MOST_NAMES) {
            for (int i = begin; i < named; i++) {
                isNew &= !names[i].equals(name);
            }
            if (named == names.length) {
                names = Arrays.copyOf(names, 2 * named);
            }
            names[named++] = name;
        } else {
            Set<String> all = sets[depth - 1];
            if (all == null) {
                all = new HashSet<>(Arrays.asList(names).subList(begin, named));
                sets[depth - 1] = all;
            }
            isNew = all.add(name);
        }
        if (!isNew) {
            throw new JsonSyntaxException("the name stands twice; at path " + getPath());
        }
        return name;
    }

    @Override
    public String nextString() throws IOException {
        String string = super.nextString();
        requireWhole(string);
        return string;
    }

    /** Refuses what no frame could carry on. */
    private void requireWhole(String string) {
        for (int i = 0; i < string.length(); i++) {
            if (Character.isSurrogate(string.charAt(i))) {
                boolean isPair =
                        i + 1 < string.length() && Character.isSurrogatePair(string.charAt(i), string.charAt(i + 1));
                if (!isPair) {
                    throw new JsonSyntaxException("half a surrogate pair; at path " + getPreviousPath());
                }
                i++;
            }
        }
    }

    /** A payload between its brackets, without the lock of a StringReader and a copy of the part. */
    private static final class Feed extends Reader {
        private String opening = "[[";
        private String text = "";
        private int opened;
        private int at;
        private int to;
        private boolean isClosed;

        void give(String text, int from, int to) {
            this.text = text;
            this.at = from;
            this.to = to;
            opened = 0;
            isClosed = false;
        }

        void rest() {
            text = ""; // may be long
            opening = ",[";
        }

        @Override
        public int read(char[] into, int offset, int length) {
            int next = offset;
            int end = offset + length;
            while (opened < opening.length() && next < end) {
                into[next++] = opening.charAt(opened++);
            }
            int count = Math.min(end - next, to - at);
            text.getChars(at, at + count, into, next);
            at += count;
            next += count;
            if (at == to && !isClosed && next < end) {
                into[next++] = ']';
                isClosed = true;
            }
            return next == offset ? -1 : next - offset;
        }

        @Override
        public void close() {}
    }
}
