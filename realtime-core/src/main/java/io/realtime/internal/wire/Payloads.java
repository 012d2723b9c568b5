package io.realtime.internal.wire;

import com.google.gson.JsonElement;
import io.realtime.spi.PayloadCodec;
import java.lang.reflect.Type;
import java.util.concurrent.ConcurrentHashMap;

/** The mappings of one server's or client's payloads, by type. Safe for use by many threads. */
public final class Payloads {
    private final PayloadCodec codec;
    private final ConcurrentHashMap<Type, Payload> known = new ConcurrentHashMap<>();

    /** Creates mappings that use a codec, except for payloads that no codec maps. */
    public Payloads(PayloadCodec codec) {
        this.codec = codec;
    }

    /**
     * Returns the mapping of a type.
     *
     * @throws IllegalArgumentException if payloads of this type cannot be sent; the message says what to use instead
     */
    public Payload of(Type type) {
        Payload payload = known.get(type);
        return payload != null ? payload : known.computeIfAbsent(type, this::make);
    }

    private Payload make(Type type) {
        if (Bytes.is(type) || type == Void.class) {
            return new Payload(type, null);
        }
        if (type instanceof Class<?> raw && JsonElement.class.isAssignableFrom(raw)) {
            return Json.payload(raw);
        }
        PayloadCodec.Mapper mapper;
        try {
            mapper = codec.mapper(type);
        } catch (RuntimeException unfit) {
            String remedy = ClosedPackage.remedy(unfit);
            throw remedy == null ? unfit : new IllegalArgumentException(type + " cannot travel: " + remedy, unfit);
        }
        return new Payload(type, mapper instanceof GsonMapper ? mapper : new CheckedMapper(mapper));
    }
}
