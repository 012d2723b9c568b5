package io.realtime.server;

import io.realtime.server.javawebsocket.JavaWebSocketTransport;
import io.realtime.spi.ServerTransport;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Finds the transport that a server runs on. */
final class Transports {
    private static final String NETTY = "io/realtime/netty/NettyTransportProvider.class";

    private Transports() {}

    /**
     * Returns a new transport of this name; without one, of the kind that is on the class path, or the embedded one.
     *
     * @throws IllegalStateException naming those that there are
     */
    static ServerTransport choose(@Nullable String name) {
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

    /** Says for the log what there was to choose from, and when a fat jar has lost what names Netty's transport. */
    static String found(ClassLoader loader) {
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
