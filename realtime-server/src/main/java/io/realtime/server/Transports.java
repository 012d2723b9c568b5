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
    private Transports() {}

    /**
     * Returns a new transport of this name; without one, of the kind that is on the class path, or the embedded one.
     *
     * @throws IllegalStateException naming those that there are
     */
    static ServerTransport choose(@Nullable String name) {
        Map<String, Supplier<ServerTransport>> found = new TreeMap<>();
        for (ServerTransport.Provider provider :
                ServiceLoader.load(ServerTransport.Provider.class, Transports.class.getClassLoader())) {
            found.put(provider.name(), provider::create);
        }
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
}
