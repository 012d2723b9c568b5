package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.JsonIOException;
import com.google.gson.JsonSyntaxException;
import com.google.gson.TypeAdapter;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.annotations.SerializedName;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.lang.annotation.Annotation;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The adapter of one class of the application, whose objects are built by their constructor. */
final class ObjectAdapter extends TypeAdapter<@Nullable Object> {
    private final Class<?> type;
    private final @Nullable String typeName; // written in the field 'type'
    private final Part[] parts;
    private final Map<String, Part> byName;
    private final Construction construction;

    /** A field of the class. */
    private record Part(
            int index,
            String name,
            Field field,
            boolean isOptional,
            boolean isRequired,
            TypeAdapter<@Nullable Object> adapter) {}

    private ObjectAdapter(
            Class<?> type,
            @Nullable String typeName,
            Part[] parts,
            Map<String, Part> byName,
            Construction construction) {
        this.type = type;
        this.typeName = typeName;
        this.parts = parts;
        this.byName = byName;
        this.construction = construction;
    }

    /**
     * Returns the adapter of a class.
     *
     * @param typeName the name that tells it from other subtypes of its base; null if it is no subtype
     */
    @SuppressWarnings("unchecked") // each adapter is that of its field
    static ObjectAdapter of(Gson gson, Type generic, Class<?> type, @Nullable String typeName) {
        TypeVariables variables = new TypeVariables(generic);
        List<Field> fields = fields(type);
        Construction construction = Construction.of(type, fields);
        Part[] parts = new Part[fields.size()];
        Map<String, Part> byName = new HashMap<>();
        for (int i = 0; i < parts.length; i++) {
            Field field = fields.get(i);
            SerializedName given = field.getAnnotation(SerializedName.class);
            String name = given == null ? field.getName() : given.value();
            TypeAdapter<?> adapter = adapter(gson, variables, field, type);
            Type resolved = variables.resolve(field.getGenericType());
            boolean isOptional = TypeToken.get(resolved).getRawType() == Optional.class;
            parts[i] = new Part(
                    i, name, field, isOptional, isRequired(field, isOptional), (TypeAdapter<@Nullable Object>) adapter);
            List<String> names = new ArrayList<>(Collections.singletonList(name));
            names.addAll(given == null ? Collections.emptyList() : Arrays.asList(given.alternate()));
            for (String each : names) {
                if (byName.put(each, parts[i]) != null) {
                    throw new RefusedTypeException(type, "two of its fields are named '" + each + "'");
                }
            }
        }
        return new ObjectAdapter(type, typeName, parts, byName, construction);
    }

    private static boolean isRequired(Field field, boolean isOptional) {
        if (field.getType().isPrimitive() || field.isAnnotationPresent(Required.class)) {
            return true;
        }
        return field.getDeclaringClass().isAnnotationPresent(Required.class)
                && !isOptional
                && !isNullable(field.getAnnotations())
                && !isNullable(Platform.typeAnnotations(field));
    }

    private static boolean isNullable(Annotation[] annotations) {
        for (Annotation each : annotations) {
            if (each.annotationType().getSimpleName().equals("Nullable")) {
                return true;
            }
        }
        return false;
    }

    private static TypeAdapter<?> adapter(Gson gson, TypeVariables variables, Field field, Class<?> type) {
        if (field.isAnnotationPresent(JsonAdapter.class)) {
            throw new RefusedTypeException(
                    type, "@JsonAdapter stands at field '" + field.getName() + "'; put it on the field's class");
        }
        if (field.isAnnotationPresent(AsString.class)) {
            if (field.getType() != long.class && field.getType() != Long.class) {
                throw new RefusedTypeException(type, "@AsString is for longs, which '" + field.getName() + "' is not");
            }
            return Numbers.AS_STRINGS;
        }
        return ObjectAdapterFactory.adapter(gson, variables.resolve(field.getGenericType()), type, field.getName());
    }

    /** Returns the fields that hold an object's state, those of its superclasses first. */
    private static List<Field> fields(Class<?> type) {
        Class<?> parent = type.getSuperclass();
        List<Field> fields = new ArrayList<>();
        if (parent != null && !Platform.owns(parent)) {
            fields.addAll(fields(parent));
        } else if (parent != null && parent != Object.class && !parent.getName().equals("java.lang.Record")) {
            throw new RefusedTypeException(
                    type, "what it has of " + parent.getName() + " would be lost; make it a record");
        }
        for (Field field : type.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers())
                    && !Modifier.isTransient(field.getModifiers())
                    && !field.isSynthetic()) {
                Construction.open(type, field);
                fields.add(field);
            }
        }
        return fields;
    }

    boolean ownsTypeField() {
        return byName.containsKey(Subtypes.FIELD);
    }

    @Override
    public void write(JsonWriter out, @Nullable Object value) throws IOException {
        if (value == null) {
            out.nullValue();
            return;
        }
        if (value.getClass() != type) {
            throw new IllegalArgumentException(value.getClass().getSimpleName() + " is not " + type.getSimpleName()
                    + ": its other fields would be lost");
        }
        out.beginObject();
        if (typeName != null && !ownsTypeField()) {
            out.name(Subtypes.FIELD).value(typeName);
        }
        for (Part part : parts) {
            Object of = get(part.field, value);
            if (of == null && part.isRequired) {
                throw new IllegalArgumentException(
                        "'" + part.name + "' of " + type.getSimpleName() + " is required, and is null");
            }
            if (!construction.needsAll() || (of != null && !isAbsent(part, of))) {
                // Write null, because the receiver would replace a missing field by its default.
                out.name(part.name);
                part.adapter.write(out, of);
            }
        }
        out.endObject();
    }

    private static boolean isAbsent(Part part, Object of) {
        return part.isOptional && !((Optional<?>) of).isPresent();
    }

    private static @Nullable Object get(Field field, Object of) {
        try {
            return field.get(of);
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    @Override
    public @Nullable Object read(JsonReader in) throws IOException {
        if (in.peek() == JsonToken.NULL) {
            in.nextNull();
            return null;
        }
        in.beginObject();
        return readFields(in, null);
    }

    /**
     * Reads the remaining fields of an object, and its end.
     *
     * @param first the name of the first of them if it was read already
     */
    Object readFields(JsonReader in, @Nullable String first) throws IOException {
        Object[] values = new Object[parts.length];
        boolean[] isSet = construction.needsAll() ? null : new boolean[parts.length];
        for (String name = first; name != null || in.hasNext(); name = null) {
            Part part = byName.get(name != null ? name : in.nextName());
            if (part == null) {
                in.skipValue();
                continue;
            }
            values[part.index] = part.adapter.read(in);
            if (isSet != null) {
                isSet[part.index] = true;
            }
        }
        in.endObject();
        for (Part part : parts) {
            if (values[part.index] == null && (isSet == null || isSet[part.index])) {
                if (part.isRequired) {
                    throw new JsonSyntaxException(
                            "a value is required; at path " + in.getPreviousPath() + "." + part.name);
                }
                if (part.isOptional) {
                    values[part.index] = Optional.empty();
                }
            }
        }
        try {
            return construction.make(values, isSet);
        } catch (InvocationTargetException failed) {
            if (failed.getCause() instanceof Error error) {
                throw error;
            }
            throw new JsonIOException("not constructed; at path " + in.getPreviousPath(), failed.getCause());
        } catch (ReflectiveOperationException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
