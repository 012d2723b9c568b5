package io.realtime.gson;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonSyntaxException;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.function.Function;

/** The adapter of a {@code java.time} type: an ISO 8601 string, as its {@code toString} writes it. */
final class IsoAdapter<T> extends TypeAdapter<T> {
    private final Class<T> type;
    private final Function<String, T> parser;

    private IsoAdapter(Class<T> type, Function<String, T> parser) {
        this.type = type;
        this.parser = parser;
    }

    static void register(GsonBuilder gson) {
        register(gson, Instant.class, Instant::parse);
        register(gson, LocalDate.class, LocalDate::parse);
        register(gson, LocalTime.class, LocalTime::parse);
        register(gson, LocalDateTime.class, LocalDateTime::parse);
        register(gson, OffsetTime.class, OffsetTime::parse);
        register(gson, OffsetDateTime.class, OffsetDateTime::parse);
        register(gson, ZonedDateTime.class, ZonedDateTime::parse);
        register(gson, Duration.class, Duration::parse);
        register(gson, Period.class, Period::parse);
        register(gson, Year.class, Year::parse);
        register(gson, YearMonth.class, YearMonth::parse);
        register(gson, MonthDay.class, MonthDay::parse);
        register(gson, ZoneOffset.class, ZoneOffset::of);
        gson.registerTypeHierarchyAdapter(ZoneId.class, new IsoAdapter<>(ZoneId.class, ZoneId::of).nullSafe());
    }

    private static <T> void register(GsonBuilder gson, Class<T> type, Function<String, T> parser) {
        gson.registerTypeAdapter(type, new IsoAdapter<>(type, parser).nullSafe());
    }

    @Override
    public void write(JsonWriter out, T value) throws IOException {
        out.value(value.toString());
    }

    @Override
    public T read(JsonReader in) throws IOException {
        if (in.peek() != JsonToken.STRING) {
            throw new IllegalStateException("Expected a string but was " + in.peek());
        }
        try {
            return parser.apply(in.nextString());
        } catch (DateTimeException unfit) {
            throw new JsonSyntaxException(
                    "no " + type.getSimpleName() + " of ISO 8601; at path " + in.getPreviousPath());
        }
    }
}
