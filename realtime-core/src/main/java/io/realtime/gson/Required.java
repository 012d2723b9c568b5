package io.realtime.gson;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Has {@link GsonCodec} refuse a value that is missing or null, when it is received as when it is sent. On a field, or a
 * record's component, it counts for that one; on a class, for all its fields but those that are {@code Optional} or carry an
 * annotation named {@code Nullable} that is kept at run time. Android keeps no annotation of a type, such as JSpecify's: use
 * {@code Optional} in what a phone receives. A field that keeps its default when it is missing may be
 * missing, and may not be null.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.TYPE, ElementType.FIELD})
public @interface Required {}
