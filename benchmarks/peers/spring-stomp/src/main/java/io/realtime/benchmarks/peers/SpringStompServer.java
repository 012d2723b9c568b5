package io.realtime.benchmarks.peers;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Configuration;
import org.springframework.messaging.converter.MessageConverter;
import org.springframework.messaging.converter.StringMessageConverter;
import org.springframework.messaging.handler.annotation.MessageMapping;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.messaging.simp.annotation.SendToUser;
import org.springframework.messaging.simp.config.MessageBrokerRegistry;
import org.springframework.stereotype.Controller;
import org.springframework.web.socket.config.annotation.EnableWebSocketMessageBroker;
import org.springframework.web.socket.config.annotation.StompEndpointRegistry;
import org.springframework.web.socket.config.annotation.WebSocketMessageBrokerConfigurer;
import org.springframework.web.socket.config.annotation.WebSocketTransportRegistration;

/**
 * An echo and topics on Spring's STOMP over WebSocket with its simple broker, on the Tomcat and with the threads that Spring
 * Boot chooses: no heartbeats, plain text, and room for a slow reader.
 */
@SpringBootApplication
public class SpringStompServer {

    /**
     * Runs until the input ends.
     *
     * @throws Exception when the server does not start
     */
    public static void main(String[] none) throws Exception {
        String port = SpringApplication.run(SpringStompServer.class)
                .getEnvironment()
                .getRequiredProperty("local.server.port");
        System.out.println("PORT " + port);
        System.in.transferTo(OutputStream.nullOutputStream());
        Runtime.getRuntime().halt(0);
    }

    /** The endpoint, the broker and their limits. */
    @Configuration
    @EnableWebSocketMessageBroker
    static class Broker implements WebSocketMessageBrokerConfigurer {
        private static final int MESSAGE = 128 * 1024;
        private static final int SEND_BUFFER = 8 * 1024 * 1024;
        private static final int MINUTE = 60_000;

        @Override
        public void registerStompEndpoints(StompEndpointRegistry endpoints) {
            endpoints.addEndpoint("/ws").setAllowedOriginPatterns("*");
        }

        @Override
        public void configureMessageBroker(MessageBrokerRegistry broker) {
            broker.enableSimpleBroker("/topic", "/queue");
            broker.setApplicationDestinationPrefixes("/app");
        }

        @Override
        public void configureWebSocketTransport(WebSocketTransportRegistration transport) {
            transport.setMessageSizeLimit(MESSAGE);
            transport.setSendBufferSizeLimit(SEND_BUFFER);
            transport.setSendTimeLimit(MINUTE);
        }

        @Override
        public boolean configureMessageConverters(List<MessageConverter> converters) {
            converters.add(new StringMessageConverter(StandardCharsets.UTF_8));
            return false;
        }
    }

    /** The echo. */
    @Controller
    static class Echo {
        @MessageMapping("/e")
        @SendToUser(value = "/queue/e", broadcast = false)
        String echo(@Payload String payload) {
            return payload;
        }
    }
}
