package io.realtime.gson;

import java.lang.annotation.Annotation;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Access to what the JVM knows of a class and Android does not, and the packages of both platforms. */
final class Platform {
    private static final String[] PACKAGES = {
        "java.", "javax.", "jdk.", "sun.", "kotlin.", "kotlinx.", "android.", "androidx.", "scala.", "com.google.gson."
    };
    private static final @Nullable Method IS_RECORD = method(Class.class, "isRecord");
    private static final @Nullable Method PERMITTED_SUBCLASSES = method(Class.class, "getPermittedSubclasses");
    private static final @Nullable Method ANNOTATED_TYPE = method(Field.class, "getAnnotatedType");

    /** Whether reflection returns fields in the order of their declaration; Android's dex files sort them by name. */
    static final boolean KEEPS_ORDER = !"Dalvik".equals(System.getProperty("java.vm.name"));

    private Platform() {}

    private static @Nullable Method method(Class<?> of, String name) {
        try {
            return of.getMethod(name);
        } catch (NoSuchMethodException older) {
            return null;
        }
    }

    private static @Nullable Object call(@Nullable Method method, Object of) {
        try {
            return method == null ? null : method.invoke(of);
        } catch (IllegalAccessException | InvocationTargetException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Returns whether a class is a record; false on Android for a record that was desugared. */
    static boolean isRecord(Class<?> type) {
        return Boolean.TRUE.equals(call(IS_RECORD, type));
    }

    /** Returns the permitted subclasses of a sealed class; empty for other classes, and on Android. */
    static List<Class<?>> permittedSubclasses(Class<?> type) {
        return call(PERMITTED_SUBCLASSES, type) instanceof Class<?>[] permitted
                ? Arrays.asList(permitted)
                : Collections.emptyList();
    }

    /** Returns the annotations of a field's type; none on Android. */
    static Annotation[] typeAnnotations(Field field) {
        return call(ANNOTATED_TYPE, field) instanceof AnnotatedElement type ? type.getAnnotations() : new Annotation[0];
    }

    static boolean owns(Class<?> type) {
        for (String home : PACKAGES) {
            if (type.getName().startsWith(home)) {
                return true;
            }
        }
        return false;
    }
}
