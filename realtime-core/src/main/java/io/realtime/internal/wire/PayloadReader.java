package io.realtime.internal.wire;

import com.google.gson.JsonSyntaxException;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * A reader of one payload after another. A reader of Gson allocates 2.3 KB of buffers when it is created, which no chat
 * payload fills, and it cannot be reset. So one reader reads an array that never ends, {@code [[first],[second],...},
 * with each payload in brackets of its own. After a payload the reader must be at its closing bracket; else it is not
 * used again. So an adapter that reads too much or too little never affects the next payload.
 *
 * <p>Idle readers are kept in {@link #IDLE}; a reader that was taken belongs to one thread.
 */
public final class PayloadReader extends JsonReader {
    /** The field that names the class of a value. */
    public static final String TYPE = "type";

    // Of one object, that are compared one by one.
    private static final int MOST_NAMES = 16;
    private static final int PLACES = 64;
    private static final int APART = 16; // references in a cache line of the processor

    /**
     * The index depends on the thread, so that two threads rarely use the same place. A thread local would outlive the
     * class.
     */
    private static final AtomicReferenceArray<@Nullable PayloadReader> IDLE =
            new AtomicReferenceArray<>(PLACES * APART);

    private final Feed feed;
    private int depth;

    // The names in the open objects, one after the other; a set for an object with many names.
    private String[] names = new String[MOST_NAMES];
    private final int[] begins = new int[Json.MAX_NESTING_FROM_SERVER + 3];
    private final @Nullable Set<String>[] sets;
    private int named;

    // The number of each open object, in the order in which they begin, and the types of all of them once one is asked
    // for.
    private final int[] numbers = new int[begins.length];
    private int objects;
    private @Nullable List<@Nullable String> types;

    @SuppressWarnings({"unchecked", "rawtypes"})
    private PayloadReader(Feed feed) {
        super(feed);
        this.sets = new Set[begins.length];
        this.feed = feed;
    }

    /** Returns a reader that is ready for a payload. */
    static PayloadReader take() {
        PayloadReader idle = IDLE.getAndSet(place(), null);
        return idle == null ? new PayloadReader(new Feed()) : idle;
    }

    private static int place() {
        return (int) (Thread.currentThread().getId() % PLACES) * APART;
    }

    /**
     * Moves to a payload.
     *
     * @param text holds the payload in JSON that was checked before: one value, no deeper than frames may be
     */
    @SuppressWarnings("deprecation") // its replacement is missing in Gson before 2.11
    void begin(String text, int from, int to) throws IOException {
        // An adapter may have changed it, and then "NaN" would be a number.
        setLenient(false);
        feed.give(text, from, to);
        objects = 0;
        types = null;
        if (depth == 0) {
            beginArray(); // the array that never ends
        }
        beginArray();
    }

    /** Ends a payload. The reader becomes idle if it is at the closing bracket; else it is discarded. */
    void end() {
        try {
            if (depth == 2 && peek() == JsonToken.END_ARRAY) {
                endArray();
                feed.rest();
                types = null;
                IDLE.lazySet(place(), this);
            }
        } catch (IOException | RuntimeException more) {
            // An adapter did not read its whole value: the next payload gets another reader.
        }
    }

    /** Returns a place in the payload for a place in the endless array: {@code $.x} for {@code $[17][0].x}. */
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
        numbers[depth] = objects++;
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

    /**
     * {@inheritDoc}
     *
     * <p>Refuses a name that occurs twice in its object, because one of the two values would be lost.
     */
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
            throw new JsonSyntaxException("the name is repeated; at path " + getPath());
        }
        return name;
    }

    @Override
    public String nextString() throws IOException {
        String string = super.nextString();
        requireWhole(string);
        return string;
    }

    /** Skips a value like Gson, and counts its objects. */
    @Override
    public void skipValue() throws IOException {
        int open = 0;
        do {
            switch (peek()) {
                case BEGIN_ARRAY -> {
                    super.beginArray();
                    open++;
                }
                case BEGIN_OBJECT -> {
                    super.beginObject();
                    objects++;
                    open++;
                }
                case END_ARRAY -> {
                    super.endArray();
                    open--;
                }
                case END_OBJECT -> {
                    super.endObject();
                    open--;
                }
                default -> super.skipValue();
            }
        } while (open > 0);
    }

    /**
     * Returns the string in the field {@link #TYPE} of the innermost open object, also if the reader has not reached it.
     * The text is read ahead once for all objects of the payload, so that deep values cost no more than others.
     *
     * @return null if there is no such field, or the reader is another one
     */
    public static @Nullable String typeAhead(JsonReader reader) throws IOException {
        if (!(reader instanceof PayloadReader in)) {
            return null;
        }
        if (in.types == null) {
            in.types = new ArrayList<>();
            addTypes(new JsonReader(new StringReader(in.feed.all())), in.types);
        }
        return in.types.get(in.numbers[in.depth - 1]);
    }

    private static void addTypes(JsonReader in, List<@Nullable String> types) throws IOException {
        switch (in.peek()) {
            case BEGIN_ARRAY -> {
                in.beginArray();
                while (in.hasNext()) {
                    addTypes(in, types);
                }
                in.endArray();
            }
            case BEGIN_OBJECT -> {
                int number = types.size();
                types.add(null);
                in.beginObject();
                while (in.hasNext()) {
                    if (in.nextName().equals(TYPE) && in.peek() == JsonToken.STRING) {
                        types.set(number, in.nextString());
                    } else {
                        addTypes(in, types);
                    }
                }
                in.endObject();
            }
            default -> in.skipValue();
        }
    }

    /** Refuses half a surrogate pair, because no frame can carry it further. */
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

    /** A payload in brackets. Unlike a StringReader it takes no lock, and needs no copy of the part. */
    private static final class Feed extends Reader {
        private String opening = "[[";
        private String text = "";
        private int opened;
        private int from;
        private int at;
        private int to;
        private boolean isClosed;

        void give(String text, int from, int to) {
            this.text = text;
            this.from = from;
            this.at = from;
            this.to = to;
            opened = 0;
            isClosed = false;
        }

        String all() {
            return text.substring(from, to);
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
