package io.realtime.server.internal;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** The version of this library. The build writes it into a resource, which a fat jar keeps. */
public final class Version {
    public static final String TEXT = read();

    private Version() {}

    private static String read() {
        Properties properties = new Properties();
        try (InputStream in = Version.class.getResourceAsStream("version.properties")) {
            if (in != null) {
                properties.load(in);
            }
        } catch (IOException unreadable) {
            return "(unknown version)";
        }
        return properties.getProperty("version", "(unknown version)");
    }
}
