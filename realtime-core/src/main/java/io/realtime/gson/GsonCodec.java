package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.ReflectionAccessFilter;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.reflect.TypeToken;
import io.realtime.internal.wire.GsonMapper;
import io.realtime.internal.wire.Json;
import io.realtime.spi.PayloadCodec;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * The default codec. It uses Gson with settings that either preserve a value or refuse it. {@code docs/payloads.md}
 * describes the JSON of each type. A type that cannot be sent is refused when its contract is first used.
 *
 * <p>Objects are built by their constructors. A record, or a class that lacks a constructor without parameters, is
 * built by the constructor that takes all fields. Immutable; several servers and clients may share one.
 */
public final class GsonCodec implements PayloadCodec {
    private final Gson gson;

    private GsonCodec(Gson gson) {
        this.gson = gson;
    }

    /** Returns a codec with the default settings. */
    public static GsonCodec create() {
        return builder().build();
    }

    /** Returns a builder that begins with the default settings. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalArgumentException if values of this type, or of the type of one of its fields, cannot be sent
     */
    @Override
    public Mapper mapper(Type type) {
        TypeToken<?> token = TypeToken.get(type);
        if (token.getRawType() == Optional.class) {
            throw new RefusedTypeException(type, "a payload is never absent; send a record with an Optional in it");
        }
        return new GsonMapper(RefusedTypeException.adapter(gson, token), true);
    }

    /** A builder of {@link GsonCodec}; not safe for use by many threads. */
    public static final class Builder {
        private final List<TypeAdapterFactory> factories = new ArrayList<>();
        private final Map<Type, TypeAdapter<?>> adapters = new HashMap<>();
        private final Map<Class<?>, List<Class<?>>> subtypes = new HashMap<>();
        private boolean hasLongsAsStrings;

        private Builder() {}

        /**
         * Sets the adapter that writes and reads values of a type, in place of the codec's own.
         *
         * @param adapter called by many threads at the same time
         */
        public <T> Builder adapter(Class<T> type, TypeAdapter<T> adapter) {
            adapters.put(Objects.requireNonNull(type, "type"), Objects.requireNonNull(adapter, "adapter"));
            return this;
        }

        /**
         * Adds a factory of adapters. It is asked before factories that were added earlier, and before those of the
         * codec.
         */
        public Builder adapterFactory(TypeAdapterFactory factory) {
            factories.add(Objects.requireNonNull(factory, "factory"));
            return this;
        }

        /**
         * Sets the classes that are permitted where a payload declares their base, an interface or an abstract class.
         * Each is written with a field {@code type}, which holds its simple name. Required if the base is not sealed,
         * and on Android, which does not know at run time what a sealed type permits.
         *
         * @throws IllegalArgumentException if the base is one of the classes
         */
        @SafeVarargs
        public final <T> Builder subtypes(Class<T> base, Class<? extends T>... classes) {
            List<Class<?>> all = new ArrayList<>();
            for (Class<? extends T> one : classes) {
                if (one == base) {
                    throw new IllegalArgumentException(base.getName() + " cannot stand for itself");
                }
                all.add(one);
            }
            subtypes.put(Objects.requireNonNull(base, "base"), all);
            return this;
        }

        /**
         * Writes every {@code long} as a string, because JavaScript rounds numbers beyond 2^53; default: as a number.
         * Both forms are read. {@link AsString} does the same for one field.
         */
        public Builder longsAsStrings() {
            this.hasLongsAsStrings = true;
            return this;
        }

        /** Builds the codec. */
        public GsonCodec build() {
            GsonBuilder gson = Json.strings()
                    .addReflectionAccessFilter(ReflectionAccessFilter.BLOCK_ALL_PLATFORM)
                    .setObjectToNumberStrategy(Numbers::exact)
                    .setNumberToNumberStrategy(Numbers::exact)
                    .registerTypeAdapterFactory(new ObjectAdapterFactory(new Subtypes(new HashMap<>(subtypes))))
                    .registerTypeAdapterFactory(new CollectionAdapterFactory())
                    .registerTypeAdapterFactory(new MapAdapterFactory())
                    .registerTypeAdapterFactory(new OptionalAdapterFactory())
                    .registerTypeAdapterFactory(new EnumAdapterFactory());
            Numbers.register(gson, hasLongsAsStrings);
            IsoAdapter.register(gson);
            factories.forEach(gson::registerTypeAdapterFactory);
            adapters.forEach(gson::registerTypeAdapter);
            return new GsonCodec(gson.create());
        }
    }
}
