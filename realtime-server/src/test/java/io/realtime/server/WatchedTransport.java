package io.realtime.server;

import static org.mockito.ArgumentMatchers.any;

import io.realtime.spi.Connection;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.ServerTransport.Acceptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.function.UnaryOperator;
import org.mockito.AdditionalAnswers;
import org.mockito.Mockito;

/** A transport whose connections a test stands in front of. */
public final class WatchedTransport {
    private WatchedTransport() {}

    /** Returns the transport with something in place of each connection that the server gets. */
    public static ServerTransport of(ServerTransport transport, UnaryOperator<Connection> watch) {
        ServerTransport watched = Mockito.mock(ServerTransport.class, AdditionalAnswers.delegatesTo(transport));
        try {
            Mockito.doAnswer(start -> {
                        Acceptor real = start.getArgument(1);
                        Acceptor watching = Mockito.mock(Acceptor.class, AdditionalAnswers.delegatesTo(real));
                        Mockito.doAnswer(open ->
                                        real.open(watch.apply((Connection) open.getArgument(0)), open.getArgument(1)))
                                .when(watching)
                                .open(any(), any());
                        transport.start(start.getArgument(0), watching);
                        return null;
                    })
                    .when(watched)
                    .start(any(), any());
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return watched;
    }

    /** Returns a connection whose calls go through a handler. */
    public static Connection connection(InvocationHandler handler) {
        return (Connection)
                Proxy.newProxyInstance(Connection.class.getClassLoader(), new Class<?>[] {Connection.class}, handler);
    }
}
