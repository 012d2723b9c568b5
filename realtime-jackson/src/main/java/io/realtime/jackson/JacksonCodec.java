package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.databind.type.TypeFactory;
import com.fasterxml.jackson.databind.util.LRUMap;
import com.fasterxml.jackson.databind.util.LookupCache;
import com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeFeature;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import io.realtime.spi.PayloadCodec;
import java.lang.reflect.Type;

/**
 * A codec on Jackson 2.19 or newer, with Jackson's annotations. {@code docs/payloads.md} shows the JSON of each type. A
 * type that cannot travel is refused when its contract is first used.
 *
 * <p>With every mapper, a repeated name in an object is refused. So is a number that would become another, such as 1.5 for
 * an {@code int} or 200 for a {@code byte}. {@code NaN} is not sent. Immutable; several servers and clients may share one.
 */
public final class JacksonCodec implements PayloadCodec {
    /** The longest number on the wire, in characters. */
    static final int LONGEST_NUMBER = 1_023;

    private static final int IDLE_BUFFERS = 100;
    private static final int TYPES = 1_000;

    private final ObjectMapper mapper;
    private final boolean isStrict;

    private JacksonCodec(ObjectMapper mapper, boolean isStrict) {
        this.mapper = mapper;
        this.isStrict = isStrict;
        mapper.setTypeFactory(ownTypes(mapper.getTypeFactory()));
    }

    /**
     * Returns a codec with strict settings: a value arrives as it was sent, or is refused. Uses the Jackson modules on the
     * class path, such as the one for Kotlin.
     */
    public static JacksonCodec create() {
        JsonFactory json = JsonFactory.builder()
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNumberLength(LONGEST_NUMBER)
                        .build())
                // The default pool keeps buffers for each thread, which is no use for virtual threads.
                .recyclerPool(JsonRecyclerPools.newBoundedPool(IDLE_BUFFERS))
                // Peers choose the names of a map.
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .build();
        JsonMapper.Builder mapper = JsonMapper.builder(json)
                .annotationIntrospector(new ContractIntrospector())
                .addModules(
                        new JavaTimeModule().disable(JavaTimeFeature.NORMALIZE_DESERIALIZED_ZONE_ID), new Jdk8Module())
                .findAndAddModules()
                .addModule(new StrictModule())
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                .disable(
                        DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES,
                        DeserializationFeature.ACCEPT_FLOAT_AS_INT,
                        DeserializationFeature.ADJUST_DATES_TO_CONTEXT_TIME_ZONE)
                .enable(
                        DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
                        DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
                .disable(
                        SerializationFeature.WRITE_DATES_AS_TIMESTAMPS,
                        SerializationFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
                .enable(SerializationFeature.WRITE_DATES_WITH_ZONE_ID)
                .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
                .withCoercionConfigDefaults(all -> all.setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail))
                .withCoercionConfig(
                        LogicalType.Textual,
                        text -> text.setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                                .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                                .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail)
                                .setCoercion(CoercionInputShape.EmptyString, CoercionAction.TryConvert));
        return new JacksonCodec(mapper.build(), true);
    }

    /**
     * Returns a codec with the settings of an application's own mapper. The mapper is copied, so later changes have no
     * effect.
     *
     * @throws IllegalArgumentException if the mapper's format is not JSON
     * @throws IllegalStateException if the mapper's class cannot be copied
     */
    public static JacksonCodec of(ObjectMapper mapper) {
        String format = mapper.getFactory().getFormatName();
        if (!JsonFactory.FORMAT_NAME_JSON.equals(format)) {
            throw new IllegalArgumentException("the mapper writes " + format + "; payloads are JSON");
        }
        return new JacksonCodec(mapper.copy(), false);
    }

    /** Jackson's mappers share one cache in a static field, which would keep the application's classes. */
    private static TypeFactory ownTypes(TypeFactory types) {
        LookupCache<Object, JavaType> own = new LRUMap<>(16, TYPES);
        return types.withModifier(new BoundedTypes()).withCache(own);
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalArgumentException if values of this type, or of one of its properties, cannot travel
     */
    @Override
    public Mapper mapper(Type type) {
        return JacksonMapper.of(mapper, mapper.constructType(type), isStrict);
    }
}
