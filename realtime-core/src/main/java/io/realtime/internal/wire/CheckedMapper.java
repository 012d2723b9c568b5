package io.realtime.internal.wire;

import io.realtime.PayloadException;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.io.StringWriter;
import java.io.Writer;

/** A mapper of the application's codec, whose output is checked like a received frame. */
final class CheckedMapper implements PayloadCodec.Mapper {
    private final PayloadCodec.Mapper mapper;

    CheckedMapper(PayloadCodec.Mapper mapper) {
        this.mapper = mapper;
    }

    @Override
    public void write(Object value, Writer out) throws IOException {
        StringWriter text = new StringWriter();
        try {
            mapper.write(value, text);
        } catch (PayloadException unfit) {
            throw unfit;
        } catch (IOException | RuntimeException unfit) {
            throw PayloadFaults.written(unfit);
        }
        String json = text.toString();
        if (!isOneValue(json)) {
            throw new PayloadException("data is not JSON, or nests deeper than " + (Json.MAX_NESTING - 1));
        }
        out.write(json);
    }

    private static boolean isOneValue(String json) {
        JsonScanner in = new JsonScanner(json, Json.MAX_NESTING - 1); // the envelope is the first level
        try {
            in.value();
            return in.isAtEnd();
        } catch (JsonScanner.NotJsonException unfit) {
            return false;
        }
    }

    @Override
    public Object read(String text, int from, int to) {
        Object value;
        try {
            value = mapper.read(text, from, to);
        } catch (PayloadException unfit) {
            throw unfit;
        } catch (IOException | RuntimeException unfit) {
            throw PayloadFaults.read("$", unfit);
        }
        if (value == null) {
            throw PayloadFaults.none();
        }
        return value;
    }
}
