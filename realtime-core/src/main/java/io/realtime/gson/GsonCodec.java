package io.realtime.gson;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.realtime.internal.wire.GsonMapper;
import io.realtime.internal.wire.Json;
import io.realtime.spi.PayloadCodec;
import java.lang.reflect.Type;

/** Payloads by Gson. Immutable. */
public final class GsonCodec implements PayloadCodec {
    private final Gson gson;

    private GsonCodec(Gson gson) {
        this.gson = gson;
    }

    /** Returns a codec with the default settings. */
    public static GsonCodec create() {
        return new GsonCodec(Json.strings().create());
    }

    @Override
    public Mapper mapper(Type type) {
        return new GsonMapper(gson.getAdapter(TypeToken.get(type)));
    }
}
