package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The adapter of {@code Optional}: written as its value, or as null. */
final class OptionalAdapterFactory implements TypeAdapterFactory {
    @Override
    @SuppressWarnings("unchecked") // T is an Optional
    public <T> @Nullable TypeAdapter<T> create(Gson gson, TypeToken<T> token) {
        if (token.getRawType() != Optional.class) {
            return null;
        }
        Type value =
                token.getType() instanceof ParameterizedType type ? type.getActualTypeArguments()[0] : Object.class;
        if (TypeToken.get(value).getRawType() == Optional.class) {
            throw new RefusedTypeException(token.getType(), "an Optional in an Optional is absent in two ways");
        }
        return (TypeAdapter<T>)
                new OptionalAdapter((TypeAdapter<Object>) RefusedTypeException.adapter(gson, TypeToken.get(value)));
    }

    @SuppressWarnings("NullableOptional") // an application may leave an Optional null
    private static final class OptionalAdapter extends TypeAdapter<@Nullable Optional<Object>> {
        private final TypeAdapter<Object> value;

        OptionalAdapter(TypeAdapter<Object> value) {
            this.value = value;
        }

        @Override
        public void write(JsonWriter out, @Nullable Optional<Object> optional) throws IOException {
            if (optional == null || !optional.isPresent()) {
                out.nullValue();
            } else {
                value.write(out, optional.get());
            }
        }

        @Override
        public Optional<Object> read(JsonReader in) throws IOException {
            if (in.peek() == JsonToken.NULL) {
                in.nextNull();
                return Optional.empty();
            }
            return Optional.of(value.read(in));
        }
    }
}
