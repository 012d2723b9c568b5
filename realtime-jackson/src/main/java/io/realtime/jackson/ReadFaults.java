package io.realtime.jackson;

import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonStreamContext;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import com.fasterxml.jackson.core.exc.StreamReadException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import io.realtime.PayloadException;
import io.realtime.internal.wire.PayloadFaults;
import org.jspecify.annotations.Nullable;

/** What a peer is told of a payload that could not be read: the place, and nothing of Java's names and of values. */
final class ReadFaults {
    private ReadFaults() {}

    /** @param parser stands where the reading ended */
    static PayloadException describe(JsonParser parser, Exception unfit) {
        for (Throwable cause = unfit; cause != null; cause = cause.getCause()) {
            PayloadException said = cause instanceof PayloadException own
                    ? own
                    : cause instanceof ValueInstantiationException made ? PayloadFaults.rejection(made) : null;
            if (said != null) {
                return said;
            }
            if (cause instanceof StreamReadException unread && !(cause instanceof InputCoercionException)) {
                return PayloadFaults.at(path(parser.getParsingContext()), describe(unread), unfit);
            }
        }
        return PayloadFaults.at(path(parser, unfit), describe(parser.currentToken(), unfit), unfit);
    }

    /** Where the failure says, which may be in a buffer; within a map or tree the parser knows it better. */
    private static String path(JsonParser parser, Exception unfit) {
        String read = path(parser.getParsingContext());
        if (!(unfit instanceof JsonMappingException placed) || placed.getPath().isEmpty()) {
            return read;
        }
        String said = path(placed);
        return isCoercion(unfit) && read.startsWith(said) ? read : said;
    }

    private static boolean isCoercion(Exception unfit) {
        for (Throwable cause = unfit; cause != null; cause = cause.getCause()) {
            if (cause instanceof InputCoercionException) {
                return true;
            }
        }
        return false;
    }

    /** The text was checked before: names that stand twice are what Jackson alone refuses. */
    private static String describe(StreamReadException unread) {
        boolean isTwice = unread instanceof JsonParseException
                && unread.getOriginalMessage().startsWith("Duplicate");
        return isTwice ? "the name is repeated" : "the value does not fit";
    }

    private static String describe(@Nullable JsonToken last, Exception unfit) {
        if (isCoercion(unfit)) {
            return "the number does not fit";
        }
        Class<?> target = unfit instanceof MismatchedInputException mismatch ? mismatch.getTargetType() : null;
        if (target == null) {
            return "the value does not fit";
        }
        if (target.isPrimitive() && (last == JsonToken.VALUE_NULL || last == JsonToken.END_OBJECT)) {
            return "a value is required";
        }
        boolean isNumber = Number.class.isAssignableFrom(target)
                || (target.isPrimitive() && target != boolean.class && target != char.class);
        return isNumber ? "the number does not fit" : "the value does not fit";
    }

    private static String path(JsonMappingException placed) {
        StringBuilder path = new StringBuilder("$");
        for (JsonMappingException.Reference each : placed.getPath()) {
            if (each.getFieldName() != null) {
                path.append('.').append(each.getFieldName());
            } else {
                path.append('[').append(each.getIndex()).append(']');
            }
        }
        return path.toString();
    }

    private static String path(@Nullable JsonStreamContext context) {
        if (context == null || context.inRoot()) {
            return "$";
        }
        String path = path(context.getParent());
        if (context.hasCurrentName()) {
            return path + "." + context.getCurrentName();
        }
        return context.inArray() && context.hasCurrentIndex() ? path + "[" + context.getCurrentIndex() + "]" : path;
    }
}
