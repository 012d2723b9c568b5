package io.realtime.benchmarks.load;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How clients talk to one kind of server. A frame with the mark of {@link Load} is a message of the load. Every other
 * frame belongs to the protocol and is passed to {@link #answer}.
 */
public enum Dialect {
    /** No protocol but WebSocket. The first letter names the operation. */
    RAW {
        @Override
        Template template(Operation operation) {
            return switch (operation) {
                case JOIN -> Template.of("s", "");
                case PUBLISH -> Template.of("p", "");
                case ECHO -> Template.of("e", "");
            };
        }
    },

    /** A managed client of this library, with sequence numbers, acknowledgements and resumption. */
    REALTIME {
        @Override
        String path(String token) {
            return "/ws";
        }

        @Override
        String header() {
            return "Sec-WebSocket-Protocol: realtime.v1\r\n";
        }

        @Override
        @Nullable
        String hello(String client, String token, String session, String position) {
            String resumption =
                    session.isEmpty() ? "" : ",\"session\":" + session + ",\"positions\":{\"g\":[" + position + "]}";
            return "{\"type\":\"$hello\",\"data\":{\"token\":\"" + token + "\",\"client\":\"c-load-" + client
                    + "\",\"agent\":\"load\"" + resumption + "}}";
        }

        @Override
        String session(String frame) {
            return isReady(frame) ? first(SESSION, frame) : "";
        }

        @Override
        String position(String frame, String before) {
            if (frame.startsWith("{\"type\":\"$reply\"")) {
                return first(POSITION, frame);
            }
            String offset = first(OFFSET, frame);
            return offset.isEmpty() ? before : before.substring(0, before.indexOf(',') + 1) + offset;
        }

        @Override
        boolean isOfGroup(String frame) {
            return frame.contains("\"room\":\"g\"");
        }

        @Override
        boolean isReady(String frame) {
            return frame.startsWith("{\"type\":\"$welcome\"");
        }

        @Override
        Template template(Operation operation) {
            return switch (operation) {
                case JOIN -> Template.of("{\"type\":\"$join\",\"room\":\"g\",\"ref\":\"j\",\"data\":{\"history\":0}}");
                case PUBLISH -> Template.numbered("{\"type\":\"p\",\"seq\":", ",\"data\":\"", "\"}");
                case ECHO -> Template.numbered("{\"type\":\"e\",\"seq\":", ",\"data\":\"", "\"}");
            };
        }
    },

    /** Like {@link #REALTIME}, but its echo is a request and its reply. */
    REALTIME_REQUEST {
        @Override
        String path(String token) {
            return REALTIME.path(token);
        }

        @Override
        String header() {
            return REALTIME.header();
        }

        @Override
        @Nullable
        String hello(String client, String token, String session, String position) {
            return REALTIME.hello(client, token, session, position);
        }

        @Override
        boolean isReady(String frame) {
            return REALTIME.isReady(frame);
        }

        @Override
        Template template(Operation operation) {
            return operation == Operation.ECHO
                    ? Template.numbered("{\"type\":\"q\",\"ref\":\"r\",\"seq\":", ",\"data\":\"", "\"}")
                    : REALTIME.template(operation);
        }
    },

    /** A plain client of this library, without numbers and acknowledgements. Its echo is a request and its reply. */
    REALTIME_PLAIN {
        @Override
        String path(String token) {
            return REALTIME.path(token) + "?token=" + token;
        }

        @Override
        boolean isReady(String frame) {
            return REALTIME.isReady(frame);
        }

        @Override
        Template template(Operation operation) {
            return switch (operation) {
                case JOIN -> REALTIME.template(operation);
                case PUBLISH -> Template.of("{\"type\":\"p\",\"data\":\"", "\"}");
                case ECHO -> Template.of("{\"type\":\"q\",\"ref\":\"r\",\"data\":\"", "\"}");
            };
        }
    },

    /** Socket.IO 4 over WebSocket alone. */
    SOCKET_IO {
        @Override
        String path(String token) {
            return "/socket.io/?EIO=4&transport=websocket";
        }

        @Override
        boolean isReady(String frame) {
            return frame.startsWith("40");
        }

        @Override
        String answer(String frame) {
            return frame.startsWith("0") ? "40" : frame.equals("2") ? "3" : "";
        }

        @Override
        Template template(Operation operation) {
            return switch (operation) {
                case JOIN -> Template.of("42[\"s\",\"\"]");
                case PUBLISH -> Template.of("42[\"p\",\"", "\"]");
                case ECHO -> Template.of("42[\"e\",\"", "\"]");
            };
        }
    },

    /** STOMP 1.2, as Spring's simple broker supports it. */
    STOMP {
        @Override
        String path(String token) {
            return "/ws";
        }

        @Override
        @Nullable
        String hello(String client, String token, String session, String position) {
            return "CONNECT\naccept-version:1.2\nhost:localhost\nheart-beat:0,0\n\n\0";
        }

        @Override
        boolean isReady(String frame) {
            return frame.startsWith("CONNECTED");
        }

        @Override
        String answer(String frame) {
            return isReady(frame) ? "SUBSCRIBE\nid:e\ndestination:/user/queue/e\n\n\0" : "";
        }

        @Override
        Template template(Operation operation) {
            return switch (operation) {
                case JOIN -> Template.of("SUBSCRIBE\nid:g\ndestination:/topic/g\n\n\0");
                case PUBLISH -> Template.of("SEND\ndestination:/topic/g\n\n", "\0");
                case ECHO -> Template.of("SEND\ndestination:/app/e\n\n", "\0");
            };
        }
    };

    /** The operations of a client. */
    enum Operation {
        JOIN,
        PUBLISH,
        ECHO
    }

    /** An operation on the wire: its parts. The number of the message and the payload go between them. */
    record Template(List<byte[]> parts, boolean isNumbered) {
        /** Returns a template: one part for an operation without payload, two parts around a payload. */
        static Template of(String... parts) {
            return new Template(
                    List.of(parts).stream().map(part -> part.getBytes(US_ASCII)).toList(), false);
        }

        static Template numbered(String... parts) {
            return new Template(of(parts).parts, true);
        }
    }

    /** Returns the target of the upgrade request. */
    String path(String token) {
        return "/";
    }

    /** Returns an additional line for the upgrade request, or an empty string. */
    String header() {
        return "";
    }

    /**
     * Returns the first frame of a client, which begins or resumes a session. Returns null if the server speaks first
     * or no frame is needed.
     */
    @Nullable
    String hello(String client, String token, String session, String position) {
        return null;
    }

    /** Returns the session that can be resumed according to a frame, or an empty string. */
    String session(String frame) {
        return "";
    }

    /** Returns the client's position in the group after this frame. */
    String position(String frame, String before) {
        return before;
    }

    private static final Pattern SESSION = Pattern.compile("\"session\":(\"[^\"]+\")");
    private static final Pattern POSITION = Pattern.compile("\"epoch\":(\"[^\"]+\"),\"offset\":(\\d+)");

    private static final Pattern OFFSET = Pattern.compile("\"room\":\"g\".*\"offset\":(\\d+)\\}");

    static String first(Pattern pattern, String frame) {
        Matcher found = pattern.matcher(frame);
        return found.find() ? found.group(1) + (found.groupCount() > 1 ? "," + found.group(2) : "") : "";
    }

    /** Returns whether a message of the load was published to the group. */
    boolean isOfGroup(String frame) {
        return true;
    }

    /**
     * Returns whether a client that has received this frame may begin. A client of a raw server, which sends no hello,
     * may begin at once.
     */
    boolean isReady(String frame) {
        return false;
    }

    /** Returns what a client answers to a frame of the protocol, or an empty string. */
    String answer(String frame) {
        return "";
    }

    abstract Template template(Operation operation);
}
