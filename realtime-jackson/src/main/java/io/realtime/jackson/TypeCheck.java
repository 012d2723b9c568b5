package io.realtime.jackson;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.BeanProperty;
import com.fasterxml.jackson.databind.DeserializationConfig;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.deser.AbstractDeserializer;
import com.fasterxml.jackson.databind.deser.BeanDeserializerBase;
import com.fasterxml.jackson.databind.deser.DefaultDeserializationContext;
import com.fasterxml.jackson.databind.deser.SettableBeanProperty;
import com.fasterxml.jackson.databind.deser.ValueInstantiator;
import com.fasterxml.jackson.databind.deser.impl.ObjectIdValueProperty;
import com.fasterxml.jackson.databind.deser.impl.UnsupportedTypeDeserializer;
import com.fasterxml.jackson.databind.deser.std.ContainerDeserializerBase;
import com.fasterxml.jackson.databind.introspect.AnnotatedClass;
import com.fasterxml.jackson.databind.jsontype.NamedType;
import com.fasterxml.jackson.databind.jsontype.TypeDeserializer;
import com.fasterxml.jackson.databind.ser.BeanPropertyWriter;
import com.fasterxml.jackson.databind.ser.PropertyWriter;
import com.fasterxml.jackson.databind.ser.std.BeanSerializerBase;
import com.google.gson.JsonElement;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Calendar;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CopyOnWriteArraySet;
import org.jspecify.annotations.Nullable;

/**
 * Goes through a type before its first value travels. Jackson finds out no sooner than at a value that nothing makes its
 * class, or that it has no properties.
 */
final class TypeCheck {
    private static final String REMEDY = "send a record of what matters of it";
    private static final Set<Class<?>> KEYS =
            Set.of(String.class, Object.class, Integer.class, Long.class, BigInteger.class, Boolean.class, UUID.class);

    private final ObjectMapper mapper;
    private final DeserializationConfig config;
    private final DeserializationContext context;
    private final SerializerProvider serializers;
    private final boolean isStrict;
    private final Set<JavaType> seen = new HashSet<>();

    private TypeCheck(ObjectMapper mapper, DefaultDeserializationContext context, boolean isStrict) {
        this.mapper = mapper;
        this.config = mapper.getDeserializationConfig();
        this.context = context.createDummyInstance(config);
        this.serializers = mapper.getSerializerProviderInstance();
        this.isStrict = isStrict;
    }

    /**
     * Returns what reads a type.
     *
     * @throws IllegalArgumentException when values of the type cannot travel: the type itself, or one within
     */
    static JsonDeserializer<Object> deserializer(
            ObjectMapper mapper, DefaultDeserializationContext context, JavaType type, boolean isStrict) {
        if (type.isReferenceType()) {
            throw refused("", type, "a payload is never absent; send a record with it", null);
        }
        TypeCheck check = new TypeCheck(mapper, context, isStrict);
        check.check("", type, null);
        try {
            check.serializers.findTypedValueSerializer(type, true, null);
            return check.context.findRootValueDeserializer(type);
        } catch (JsonMappingException | IllegalArgumentException unfit) {
            throw unmapped("", type, unfit);
        }
    }

    private static IllegalArgumentException refused(
            String at, JavaType type, String remedy, @Nullable Exception cause) {
        return new IllegalArgumentException(at + type.toCanonical() + " cannot travel: " + remedy, cause);
    }

    private static boolean isOfPlatform(Class<?> type) {
        String name = type.getName();
        return name.startsWith("java.") || name.startsWith("javax.");
    }

    private static IllegalArgumentException unmapped(String at, JavaType type, Exception unfit) {
        for (Throwable cause = unfit; cause != null; cause = cause.getCause()) {
            if (cause instanceof BoundedTypes.EndlessTypeException endless) {
                return endless;
            }
        }
        if (isOfPlatform(type.getRawClass())) {
            return refused(at, type, REMEDY, unfit);
        }
        String reason = unfit instanceof JsonMappingException json ? json.getOriginalMessage() : unfit.getMessage();
        return refused(at, type, reason + "; " + REMEDY, unfit);
    }

    /** @param known what reads it there; null for what reads the type anywhere */
    private void check(String at, JavaType type, @Nullable JsonDeserializer<?> known) {
        try {
            JsonDeserializer<?> reads = known != null ? known : context.findNonContextualValueDeserializer(type);
            if (reads instanceof UnsupportedTypeDeserializer) {
                throw refused(at, type, "Jackson needs a module for it, such as jackson-datatype-jsr310", null);
            }
            boolean isNew = seen.add(type);
            if (reads.getClass().getName().startsWith("com.fasterxml.jackson.")) {
                requireSafe(at, type);
            }
            if (!isNew) {
                return;
            }
            if (reads instanceof BeanDeserializerBase || reads instanceof AbstractDeserializer) {
                checkObject(at, type, reads);
            } else if (type.getContentType() != null) {
                requireCheap(at, type);
                requireNoFields(at, type, reads);
                checkKey(at, type);
                checkContent(at, type, reads);
            }
        } catch (JsonMappingException unfit) {
            throw unmapped(at, type, unfit);
        }
    }

    /** Jackson adds the elements one by one, and each copies all others. */
    private void requireCheap(String at, JavaType type) {
        boolean isCopied =
                type.isTypeOrSubTypeOf(CopyOnWriteArrayList.class) || type.isTypeOrSubTypeOf(CopyOnWriteArraySet.class);
        if (isStrict && isCopied) {
            throw refused(at, type, "each element that is read copies all others; declare java.util.List or Set", null);
        }
    }

    /** Jackson reads a collection's or map's elements, and no other fields of its class. */
    private void requireNoFields(String at, JavaType type, JsonDeserializer<?> reads) {
        boolean isPlain = reads instanceof SetDeserializer
                || reads.getClass().getName().startsWith("com.fasterxml.jackson.databind.");
        if (!isStrict || !isPlain) {
            return; // a module knows the class
        }
        for (Class<?> each = type.getRawClass(); each != null && !isOfPlatform(each); each = each.getSuperclass()) {
            for (Field field : each.getDeclaredFields()) {
                int modifiers = field.getModifiers(); // those of a library's collections are transient
                if (!Modifier.isStatic(modifiers) && !Modifier.isTransient(modifiers) && !field.isSynthetic()) {
                    String what = type.isMapLikeType() ? "map" : "collection";
                    throw refused(
                            at,
                            type,
                            "its field '" + field.getName() + "' would be lost; make it a record that has a " + what,
                            null);
                }
            }
        }
    }

    /** Jackson makes a key of any class that has a constructor for a string, and checks no number. */
    private void checkKey(String at, JavaType type) {
        JavaType key = type.getKeyType();
        if (key == null) {
            return;
        }
        Class<?> raw = key.getRawClass();
        boolean isKey = KEYS.contains(raw) || raw.isEnum() || raw.getName().startsWith("java.time.");
        if (raw == Class.class || (isStrict && !isKey)) {
            throw refused(
                    at, type, "a map's key must be a string, an integer, a constant or a time; send a list", null);
        }
    }

    private void checkContent(String at, JavaType type, JsonDeserializer<?> reads) {
        JavaType content = type.getContentType();
        if (type.isReferenceType() && content.isReferenceType()) {
            throw refused(at, type, "an Optional in an Optional is absent in two ways", null);
        }
        boolean isContainer = reads instanceof ContainerDeserializerBase<?>;
        check(at, content, isContainer ? ((ContainerDeserializerBase<?>) reads).getContentDeserializer() : null);
    }

    private void checkObject(String at, JavaType type, JsonDeserializer<?> reads) throws JsonMappingException {
        if (config.findTypeDeserializer(type) != null) {
            checkSubtypes(at, type);
        } else if (reads instanceof AbstractDeserializer) {
            throw refused(
                    at, type, "it does not say which class to create; make it sealed, or give it @JsonTypeInfo", null);
        }
        if (!(reads instanceof BeanDeserializerBase bean) || type.isAbstract()) {
            return;
        }
        if (isStrict && isOfPlatform(type.getRawClass())) {
            throw refused(at, type, REMEDY, null);
        }
        if (isStrict
                && ContractIntrospector.isNamed(config, type)
                && bean.findProperty(ContractIntrospector.TYPE) != null) {
            throw refused(at, type, "it has a 'type' of its own; rename it, or give it @JsonTypeInfo", null);
        }
        JsonSerializer<?> writes = serializers.findValueSerializer(type);
        if (serializers.isUnknownTypeSerializer(writes)) {
            throw refused(at, type, "it has no properties, such as getters; make it a record", null);
        }
        if (!isMade(bean.getValueInstantiator(), writes instanceof BeanSerializerBase)) {
            throw refused(at, type, "no constructor fits; make it a record, or give a constructor @JsonCreator", null);
        }
        if (isStrict && writes instanceof BeanSerializerBase) {
            requireBothWays(at, type, bean, writes);
        }
        for (Iterator<SettableBeanProperty> each = bean.properties(); each.hasNext(); ) {
            SettableBeanProperty property = each.next();
            String place = at + type.getRawClass().getSimpleName() + "." + property.getName() + ": ";
            requireNames(place, property.getType(), property.getValueTypeDeserializer());
            check(place, property.getType(), property.getValueDeserializer());
        }
    }

    /** What is written and not read, or read and not written, is lost on its way, unless an annotation says so. */
    private void requireBothWays(String at, JavaType type, BeanDeserializerBase bean, JsonSerializer<?> writes)
            throws JsonMappingException {
        boolean hasAnyGetter = mapper.getSerializationConfig().introspect(type).findAnyGetter() != null;
        boolean hasAnySetter = config.introspect(type).findAnySetterAccessor() != null;
        if (hasAnyGetter && !hasAnySetter) {
            throw refused(at, type, "it has @JsonAnyGetter; give it @JsonAnySetter, too", null);
        }
        if (hasAnySetter || bean.getValueInstantiator().canCreateUsingDelegate()) {
            return; // which may take all
        }
        TypeDeserializer names = config.findTypeDeserializer(type);
        Set<String> written = new HashSet<>();
        if (names != null) {
            written.add(names.getPropertyName());
        }
        for (Iterator<PropertyWriter> each = writes.properties(); each.hasNext(); ) {
            PropertyWriter property = each.next();
            String name = property.getName();
            boolean isNew = written.add(name);
            boolean isUnwrapped = property instanceof BeanPropertyWriter own && own.isUnwrapping();
            boolean isRead = !isNew || isUnwrapped || bean.findProperty(name) != null;
            if (!isRead && !isOnly(JsonProperty.Access.READ_ONLY, property)) {
                String remedy = "give it a setter or a parameter of the constructor, @JsonIgnore,"
                        + " or @JsonProperty(access = READ_ONLY)";
                throw refused(at, type, "its '" + name + "' is written and not read; " + remedy, null);
            }
        }
        for (Iterator<SettableBeanProperty> each = bean.properties(); each.hasNext(); ) {
            SettableBeanProperty property = each.next();
            boolean isWritten = written.contains(property.getName())
                    || property instanceof ObjectIdValueProperty
                    || property.getInjectableValueId() != null
                    || property.getType().hasRawClass(Void.class);
            if (!isWritten && !isOnly(JsonProperty.Access.WRITE_ONLY, property)) {
                String remedy = "give it a getter, @JsonIgnoreProperties on the class,"
                        + " or @JsonProperty(access = WRITE_ONLY)";
                throw refused(at, type, "its '" + property.getName() + "' is read and not written; " + remedy, null);
            }
        }
    }

    private static boolean isOnly(JsonProperty.Access access, BeanProperty property) {
        JsonProperty given = property.getAnnotation(JsonProperty.class);
        return given != null && given.access() == access;
    }

    private static boolean isMade(ValueInstantiator by, boolean isObject) {
        boolean isMadeOfObject =
                by.canCreateUsingDefault() || by.canCreateUsingDelegate() || by.canCreateFromObjectWith();
        return isMadeOfObject || (!isObject && by.canInstantiate());
    }

    private void requireNames(String at, JavaType base, @Nullable TypeDeserializer by) {
        JsonTypeInfo.Id names =
                by == null ? JsonTypeInfo.Id.NONE : by.getTypeIdResolver().getMechanism();
        if (isStrict && (names == JsonTypeInfo.Id.CLASS || names == JsonTypeInfo.Id.MINIMAL_CLASS)) {
            throw refused(at, base, "its peer would choose a class to load; name the classes", null);
        }
    }

    private void checkSubtypes(String at, JavaType base) throws JsonMappingException {
        requireNames(at, base, config.findTypeDeserializer(base));
        Map<String, Class<?>> named = new HashMap<>();
        AnnotatedClass annotated =
                config.introspectClassAnnotations(base.getRawClass()).getClassInfo();
        for (NamedType one : mapper.getSubtypeResolver().collectAndResolveSubtypesByClass(config, annotated)) {
            Class<?> raw = one.getType();
            if (raw == base.getRawClass() || !base.getRawClass().isAssignableFrom(raw)) {
                continue;
            }
            JavaType type = config.constructSpecializedType(base, raw);
            String name = config.getAnnotationIntrospector()
                    .findTypeName(config.introspectClassAnnotations(type).getClassInfo());
            Class<?> twin = name == null ? null : named.put(name, raw);
            if (isStrict && twin != null && twin != raw) {
                throw refused(at, base, "two of its classes are named " + name, null);
            }
            if (isStrict && (type.isEnumType() || type.isContainerType())) {
                throw refused(at, type, "it is not an object with a field 'type'; put it into a record", null);
            }
            if (type.isEnumType() || !type.isAbstract()) {
                check(at, type, null);
            }
        }
    }

    private void requireSafe(String at, JavaType type) {
        Class<?> raw = type.getRawClass();
        if (raw == Class.class) {
            throw refused(at, type, "its peer would choose a class to load; use a String", null);
        }
        if (JsonElement.class.isAssignableFrom(raw)) {
            throw refused(at, type, "it is Gson's; use Jackson's JsonNode, or GsonCodec", null);
        }
        if (isStrict && (InetAddress.class.isAssignableFrom(raw) || raw == InetSocketAddress.class)) {
            throw refused(at, type, "to read it may ask a name server; use a String", null);
        }
        if (isStrict && (Date.class.isAssignableFrom(raw) || Calendar.class.isAssignableFrom(raw))) {
            throw refused(at, type, "use java.time.Instant, or JacksonCodec.of(...) with a mapper of yours", null);
        }
        if (isStrict && Throwable.class.isAssignableFrom(raw)) {
            throw refused(at, type, "it would take the stack trace along; " + REMEDY, null);
        }
    }
}
