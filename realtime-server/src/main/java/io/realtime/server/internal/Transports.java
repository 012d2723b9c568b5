package io.realtime.server.internal;

import io.realtime.server.internal.transport.JavaWebSocketTransport;
import io.realtime.spi.ServerTransport;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The selection of the transport that a server runs on. */
public final class Transports {
    private static final String NETTY = "io/realtime/netty/NettyTransportProvider.class";

    private Transports() {}

    /**
     * Returns a new transport.
     *
     * @param name the transport's name; null for the one that is on the class path, or else the embedded one
     * @throws IllegalStateException if there is no such transport, or {@code name} is null and there are several;
     *     names those that were found
     */
    public static ServerTransport choose(@Nullable String name) {
        Map<String, Supplier<ServerTransport>> found = services(Transports.class.getClassLoader());
        if (name == null && found.size() > 1) {
            throw new IllegalStateException("several transports are on the class path, " + found.keySet()
                    + ": name one with transport(\"...\")");
        }
        String wanted = name != null
                ? name
                : found.isEmpty()
                        ? JavaWebSocketTransport.NAME
                        : found.keySet().iterator().next();
        found.put(JavaWebSocketTransport.NAME, JavaWebSocketTransport::new);
        Supplier<ServerTransport> maker = found.get(wanted);
        if (maker == null) {
            throw new IllegalStateException("no transport '" + wanted + "' on the class path, only " + found.keySet());
        }
        return maker.get();
    }

    /**
     * Returns a text for the log: which transports were found, and whether a fat jar has lost the service file of
     * Netty's transport.
     */
    public static String found(ClassLoader loader) {
        Map<String, Supplier<ServerTransport>> found = services(loader);
        if (!found.isEmpty()) {
            return "services found: " + String.join(", ", found.keySet());
        }
        boolean hasNetty = loader.getResource(NETTY) != null;
        return "services found: none"
                + (hasNetty ? ", though realtime-netty is there: merge META-INF/services into the jar" : "");
    }

    private static Map<String, Supplier<ServerTransport>> services(ClassLoader loader) {
        Map<String, Supplier<ServerTransport>> found = new TreeMap<>();
        for (ServerTransport.Provider provider : ServiceLoader.load(ServerTransport.Provider.class, loader)) {
            found.put(provider.name(), provider::create);
        }
        return found;
    }
}
