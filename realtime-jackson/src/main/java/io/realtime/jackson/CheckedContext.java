package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.ObjectCodec;
import com.fasterxml.jackson.databind.DeserializationConfig;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.InjectableValues;
import com.fasterxml.jackson.databind.cfg.CacheProvider;
import com.fasterxml.jackson.databind.deser.DefaultDeserializationContext;
import com.fasterxml.jackson.databind.deser.DeserializerFactory;
import com.fasterxml.jackson.databind.util.TokenBuffer;
import org.jspecify.annotations.Nullable;

/** Has the same checks where Jackson reads from a buffer: the fields that stand before the one that names the class. */
final class CheckedContext extends DefaultDeserializationContext {
    private static final long serialVersionUID = 1L;

    private final boolean hasLongs;

    CheckedContext(DefaultDeserializationContext of, boolean hasLongs) {
        super(of);
        this.hasLongs = hasLongs;
    }

    private CheckedContext(
            CheckedContext of, DeserializationConfig config, JsonParser parser, InjectableValues values) {
        super(of, config, parser, values);
        this.hasLongs = of.hasLongs;
    }

    private CheckedContext(CheckedContext of, DeserializationConfig config) {
        super(of, config);
        this.hasLongs = of.hasLongs;
    }

    private CheckedContext(CheckedContext of, DeserializerFactory factory) {
        super(of, factory);
        this.hasLongs = of.hasLongs;
    }

    private CheckedContext(CheckedContext of, CacheProvider caches) {
        super(of, caches);
        this.hasLongs = of.hasLongs;
    }

    @Override
    public DefaultDeserializationContext with(DeserializerFactory factory) {
        return new CheckedContext(this, factory);
    }

    @Override
    public DefaultDeserializationContext withCaches(CacheProvider caches) {
        return new CheckedContext(this, caches);
    }

    @Override
    public DefaultDeserializationContext createInstance(
            DeserializationConfig config, JsonParser parser, InjectableValues values) {
        return new CheckedContext(this, config, parser, values);
    }

    @Override
    public DefaultDeserializationContext createDummyInstance(DeserializationConfig config) {
        return new CheckedContext(this, config);
    }

    @Override
    public TokenBuffer bufferForInputBuffering(JsonParser parser) {
        return new CheckedBuffer(parser, this, hasLongs);
    }

    private static final class CheckedBuffer extends TokenBuffer {
        private final boolean hasLongs;

        CheckedBuffer(JsonParser parser, DeserializationContext context, boolean hasLongs) {
            super(parser, context);
            this.hasLongs = hasLongs;
        }

        @Override
        public JsonParser asParser(@Nullable ObjectCodec codec) {
            return new CheckedParser(super.asParser(codec), hasLongs, false);
        }

        @Override
        public JsonParser asParser(JsonParser source) {
            return new CheckedParser(super.asParser(source), hasLongs, false);
        }
    }
}
