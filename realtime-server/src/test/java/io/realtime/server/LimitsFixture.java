package io.realtime.server;

import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;

/** A server whose limits the test sets, and a handler that counts. */
abstract class LimitsFixture {
    static final Event<Integer> COUNT = Event.of("count", Integer.class);

    final List<Integer> handled = new ArrayList<>();
    TestServer test = start(limits -> limits);

    final TestServer start(UnaryOperator<Limits.Builder> limits) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                TestServer::byName,
                builder -> builder.limits(limits.apply(Limits.builder()).build())
                        .on(COUNT, (session, message) -> handled.add(message.data())));
        return test;
    }

    @AfterEach
    final void close() {
        test.executor.release();
        test.close();
    }

    static String reliable(int number) {
        return "{'type':'count','seq':" + number + ",'data':" + number + "}";
    }
}
