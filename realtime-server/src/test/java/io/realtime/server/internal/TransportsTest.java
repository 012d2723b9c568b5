package io.realtime.server.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TransportsTest {
    private static final String NETTY = "io/realtime/netty/NettyTransportProvider.class";

    @TempDir
    Path folder;

    /** A provider, as a transport's jar has one. */
    public static final class Provider implements ServerTransport.Provider {
        @Override
        public String name() {
            return "carrier-pigeon";
        }

        @Override
        public ServerTransport create() {
            throw new UnsupportedOperationException();
        }
    }

    /** A class path with these services, and with Netty's transport or without. */
    private static ClassLoader loader(List<URL> services, boolean hasNetty) {
        return new ClassLoader(TransportsTest.class.getClassLoader()) {
            @Override
            public Enumeration<URL> getResources(String name) {
                return Collections.enumeration(services);
            }

            @Override
            public @Nullable URL getResource(String name) {
                return hasNetty && name.equals(NETTY) ? Object.class.getResource("Object.class") : null;
            }
        };
    }

    @Test
    void foundNamesTheServices() throws IOException {
        Path services = folder.resolve("services");
        Files.writeString(services, Provider.class.getName(), StandardCharsets.UTF_8);
        assertEquals(
                "services found: carrier-pigeon",
                Transports.found(loader(List.of(services.toUri().toURL()), false)));
    }

    @Test
    void foundWithoutServicesSaysSo() {
        assertEquals("services found: none", Transports.found(loader(List.of(), false)));
    }

    @Test
    void foundOfAJarWithoutMergedServicesSaysWhatIsMissing() {
        assertEquals(
                "services found: none, though realtime-netty is there: merge META-INF/services into the jar",
                Transports.found(loader(List.of(), true)));
    }
}
