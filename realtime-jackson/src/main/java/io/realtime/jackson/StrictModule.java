package io.realtime.jackson;

import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.DeserializationConfig;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.deser.BeanDeserializerModifier;
import com.fasterxml.jackson.databind.deser.std.CollectionDeserializer;
import com.fasterxml.jackson.databind.deser.std.StdDelegatingDeserializer;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.StdDelegatingSerializer;
import com.fasterxml.jackson.databind.type.CollectionType;
import com.fasterxml.jackson.databind.util.StdConverter;
import io.realtime.internal.wire.HashCodes;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;

/** What Jackson's settings do not reach: times are ISO 8601, fractions are no strings, bytes are numbers. */
final class StrictModule extends SimpleModule {
    private static final long serialVersionUID = 1L;
    private static final Set<Class<?>> FRACTIONS =
            Set.of(float.class, Float.class, double.class, Double.class, OptionalDouble.class);

    StrictModule() {
        super("realtime");
        addSerializer(new StdDelegatingSerializer(byte[].class, new ToNumbers()));
        addDeserializer(byte[].class, new StdDelegatingDeserializer<>(new ToBytes()));
        addDeserializer(float[].class, new StdDelegatingDeserializer<>(new ToFloats()));
        addDeserializer(double[].class, new StdDelegatingDeserializer<>(new ToDoubles()));
        setDeserializerModifier(new Modifier());
    }

    private static final class Modifier extends BeanDeserializerModifier {
        private static final long serialVersionUID = 1L;

        @Override
        public JsonDeserializer<?> modifyDeserializer(
                DeserializationConfig config, BeanDescription description, JsonDeserializer<?> deserializer) {
            Class<?> type = description.getBeanClass();
            return FRACTIONS.contains(type)
                    ? new NumbersOnly(deserializer)
                    : IsoDeserializer.isIso(type) ? new IsoDeserializer(deserializer, type) : deserializer;
        }

        @Override
        public JsonDeserializer<?> modifyCollectionDeserializer(
                DeserializationConfig config,
                CollectionType type,
                BeanDescription description,
                JsonDeserializer<?> deserializer) {
            return bounded(type, deserializer);
        }
    }

    private static JsonDeserializer<?> bounded(CollectionType type, JsonDeserializer<?> deserializer) {
        Class<?> raw = type.getRawClass();
        boolean isHashed = Set.class.isAssignableFrom(raw)
                && HashCodes.mayCollide(raw, type.getContentType().getRawClass());
        return isHashed && deserializer instanceof CollectionDeserializer jackson
                ? new SetDeserializer(type, jackson.getValueInstantiator(), null)
                : deserializer;
    }

    private static final class ToNumbers extends StdConverter<byte[], short[]> {
        @Override
        public short[] convert(byte[] bytes) {
            short[] numbers = new short[bytes.length];
            for (int i = 0; i < bytes.length; i++) {
                numbers[i] = bytes[i];
            }
            return numbers;
        }
    }

    private static final class ToBytes extends StdConverter<List<Byte>, byte[]> {
        @Override
        public byte[] convert(List<Byte> numbers) {
            byte[] bytes = new byte[numbers.size()];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = numbers.get(i);
            }
            return bytes;
        }
    }

    private static final class ToFloats extends StdConverter<List<Float>, float[]> {
        @Override
        public float[] convert(List<Float> numbers) {
            float[] floats = new float[numbers.size()];
            for (int i = 0; i < floats.length; i++) {
                floats[i] = numbers.get(i);
            }
            return floats;
        }
    }

    private static final class ToDoubles extends StdConverter<List<Double>, double[]> {
        @Override
        public double[] convert(List<Double> numbers) {
            return numbers.stream().mapToDouble(Double::doubleValue).toArray();
        }
    }
}
