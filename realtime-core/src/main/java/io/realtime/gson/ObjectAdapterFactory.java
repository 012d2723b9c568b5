package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.reflect.TypeToken;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.net.InetAddress;
import java.util.Calendar;
import java.util.Collection;
import java.util.Date;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** The adapters of the application's records and classes; types that cannot be sent are refused. */
final class ObjectAdapterFactory implements TypeAdapterFactory {
    private final Subtypes subtypes;

    ObjectAdapterFactory(Subtypes subtypes) {
        this.subtypes = subtypes;
    }

    @Override
    @SuppressWarnings("unchecked") // each adapter is of T
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> token) {
        Class<?> raw = token.getRawType();
        String remedy = remedy(raw);
        if (remedy != null) {
            throw new RefusedTypeException(token.getType(), remedy);
        }
        if (!isObject(raw)) {
            return null;
        }
        if (!Modifier.isAbstract(raw.getModifiers())) {
            return (TypeAdapter<T>) ObjectAdapter.of(gson, token.getType(), raw, subtypes.nameOf(raw));
        }
        Map<String, Class<?>> classes = subtypes.of(raw);
        if (classes.isEmpty()) {
            throw new RefusedTypeException(
                    token.getType(),
                    "it does not say which class to create; make it sealed, name its classes by"
                            + " GsonCodec.builder().subtypes(...), or give it an adapter");
        }
        return (TypeAdapter<T>) new SubtypeAdapter(gson, raw, classes);
    }

    private static @Nullable String remedy(Class<?> raw) {
        if (Date.class.isAssignableFrom(raw) || Calendar.class.isAssignableFrom(raw)) {
            return "it is written in the machine's time zone and language; use java.time.Instant";
        }
        if (raw == OptionalInt.class || raw == OptionalLong.class || raw == OptionalDouble.class) {
            return "use Optional<Integer>, Optional<Long> or Optional<Double>";
        }
        if (raw == Locale.class) {
            return "its script would be lost; use a String, Locale.toLanguageTag()";
        }
        if (raw.getName().startsWith("java.util.concurrent.atomic.")) {
            return "send the value that it has";
        }
        if (InetAddress.class.isAssignableFrom(raw)) {
            return "to read it may ask a name server; use a String";
        }
        return null;
    }

    /** Returns whether a class is the application's own. Gson maps or refuses the others. */
    private static boolean isObject(Class<?> raw) {
        return !raw.isPrimitive()
                && !raw.isArray()
                && !Enum.class.isAssignableFrom(raw)
                && !Collection.class.isAssignableFrom(raw)
                && !Map.class.isAssignableFrom(raw)
                && !JsonElement.class.isAssignableFrom(raw)
                && !raw.isAnnotationPresent(JsonAdapter.class)
                && !Platform.owns(raw);
    }

    /** Returns the adapter of a field's type. */
    static TypeAdapter<?> adapter(Gson gson, Type type, Class<?> owner, String field) {
        try {
            return RefusedTypeException.adapter(gson, TypeToken.get(type));
        } catch (RefusedTypeException refused) {
            throw refused.in(owner, field);
        }
    }
}
