package io.realtime.benchmarks.load;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How clients talk to one kind of server. Whatever bears the mark of {@link Load} is a message of the load; every other
 * frame is the protocol's own and comes to {@link #answer}.
 */
public enum Dialect {
    /** No protocol but WebSocket: the first letter says what to do. */
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

    /** A managed client of this library: numbered, acknowledged, resumable. */
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

    /** Like {@link #REALTIME}; its echo is a request and its reply. */
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

    /** A plain client of this library: no numbers, no acknowledgements. Its echo is a request and its reply. */
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

    /** STOMP 1.2, as Spring's simple broker speaks it. */
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

    /** What a client may want. */
    enum Operation {
        JOIN,
        PUBLISH,
        ECHO
    }

    /** What an operation looks like on the wire: its parts, with the number of the message and the payload between them. */
    record Template(List<byte[]> parts, boolean isNumbered) {
        /** One part for an operation without payload, two around it. */
        static Template of(String... parts) {
            return new Template(
                    List.of(parts).stream().map(part -> part.getBytes(US_ASCII)).toList(), false);
        }

        static Template numbered(String... parts) {
            return new Template(of(parts).parts, true);
        }
    }

    /** Returns what the upgrade asks for. */
    String path(String token) {
        return "/";
    }

    /** Returns a line more for the upgrade request, or nothing. */
    String header() {
        return "";
    }

    /** Returns the first frame of a client, to begin or to resume a session; null when the server or nobody has to speak first. */
    @Nullable
    String hello(String client, String token, String session, String position) {
        return null;
    }

    /** Returns the session that a frame says one may resume, or nothing. */
    String session(String frame) {
        return "";
    }

    /** Returns the place in the group that a client has come to with this frame. */
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

    /** Returns whether a client that got this frame may begin; who says no hello to a raw server may at once. */
    boolean isReady(String frame) {
        return false;
    }

    /** Returns what a client answers to a frame of the protocol, or nothing. */
    String answer(String frame) {
        return "";
    }

    abstract Template template(Operation operation);
}
