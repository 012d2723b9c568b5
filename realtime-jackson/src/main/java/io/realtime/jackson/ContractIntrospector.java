package io.realtime.jackson;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.cfg.MapperConfig;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.AnnotatedClass;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.jsontype.NamedType;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import io.realtime.gson.AsString;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What contracts say without Jackson's annotations, as the default codec reads it: sealed types, {@link AsString}, and
 * components of a record that are absent.
 */
final class ContractIntrospector extends JacksonAnnotationIntrospector {
    private static final long serialVersionUID = 1L;

    /** The field that names the class. */
    static final String TYPE = "type";

    /**
     * Returns whether a type is sealed, or below one that is. The JDK's own (of String, say) do not count, nor enums whose
     * constants have bodies.
     */
    static boolean isSealed(@Nullable Class<?> type) {
        if (type == null || type.getName().startsWith("java.") || Enum.class.isAssignableFrom(type)) {
            return false;
        }
        return type.isSealed()
                || isSealed(type.getSuperclass())
                || Arrays.stream(type.getInterfaces()).anyMatch(ContractIntrospector::isSealed);
    }

    /** Returns whether the field {@link #TYPE} names the class, without an annotation that says so. */
    static boolean isNamed(MapperConfig<?> config, JavaType type) {
        return isSealed(type.getRawClass())
                && !config.introspectClassAnnotations(type).getClassInfo().hasAnnotation(JsonTypeInfo.class);
    }

    @Override
    public JsonTypeInfo.@Nullable Value findPolymorphicTypeInfo(MapperConfig<?> config, Annotated annotated) {
        JsonTypeInfo.Value given = super.findPolymorphicTypeInfo(config, annotated);
        if (given != null || !(annotated instanceof AnnotatedClass) || !isSealed(annotated.getRawType())) {
            return given;
        }
        // False: where a class itself is declared, nothing need name it.
        return JsonTypeInfo.Value.construct(JsonTypeInfo.Id.NAME, JsonTypeInfo.As.PROPERTY, TYPE, null, false, false);
    }

    @Override
    public @Nullable List<NamedType> findSubtypes(Annotated annotated) {
        List<NamedType> given = super.findSubtypes(annotated);
        if (given != null || !(annotated instanceof AnnotatedClass) || !isSealed(annotated.getRawType())) {
            return given;
        }
        Class<?>[] permitted = annotated.getRawType().getPermittedSubclasses();
        return permitted == null
                ? null
                : Arrays.stream(permitted).map(NamedType::new).toList();
    }

    @Override
    public @Nullable String findTypeName(AnnotatedClass type) {
        String given = super.findTypeName(type);
        boolean isLeaf = isSealed(type.getRawType()) && !Modifier.isAbstract(type.getModifiers());
        return given == null && isLeaf ? type.getRawType().getSimpleName() : given;
    }

    @Override
    public JsonInclude.Value findPropertyInclusion(Annotated annotated) {
        JsonInclude.Value given = super.findPropertyInclusion(annotated);
        boolean isRecord =
                annotated instanceof AnnotatedClass && annotated.getRawType().isRecord();
        return isRecord && given.getValueInclusion() == JsonInclude.Include.USE_DEFAULTS
                ? given.withValueInclusion(JsonInclude.Include.NON_ABSENT)
                : given;
    }

    @Override
    public @Nullable Object findSerializer(Annotated annotated) {
        return annotated.hasAnnotation(AsString.class) ? ToStringSerializer.class : super.findSerializer(annotated);
    }

    @Override
    public @Nullable Object findDeserializer(Annotated annotated) {
        return annotated.hasAnnotation(AsString.class) ? LongFromString.class : super.findDeserializer(annotated);
    }
}
