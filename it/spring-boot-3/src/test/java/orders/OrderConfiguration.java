package orders;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.realtime.jackson.JacksonCodec;
import io.realtime.server.RealtimeServer;
import java.time.Instant;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** A server whose payloads travel as Spring's mapper says. */
@Configuration
@EnableAutoConfiguration
class OrderConfiguration {
    static final Instant PLACED = Instant.parse("2026-01-02T03:04:05Z");

    // @start jackson
    @Bean(initMethod = "start")
    RealtimeServer realtimeServer(@Value("${realtime.port}") int port, ObjectMapper mapper) {
        return RealtimeServer.builder()
                .port(port)
                .codec(JacksonCodec.of(mapper))
                // @end
                .anonymous()
                .onRequest(Orders.PLACE, (session, quantity) -> new Orders.Order("a-1", quantity, PLACED))
                .build();
    }
}
