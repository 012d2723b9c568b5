package io.realtime.gson;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * A value that {@link GsonCodec} refuses if it is missing or null, both when it is received and when it is sent. On a
 * field, or a record's component, it applies to that one. On a class it applies to all fields, except those that are
 * {@code Optional} or have an annotation named {@code Nullable} that is kept at run time. Android keeps no annotations of
 * types, such as JSpecify's: use {@code Optional} for what a phone receives. A field that keeps its default when it is
 * missing may be missing, but not null.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.TYPE, ElementType.FIELD})
public @interface Required {}
