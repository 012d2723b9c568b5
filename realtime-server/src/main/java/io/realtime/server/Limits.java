package io.realtime.server;

import io.realtime.internal.Durations;
import java.time.Duration;

/** What one peer may cost. Immutable; every bound has a safe default and a named refusal. */
public final class Limits {
    /** What the protocol's own questions and answers about one room of the longest name need. */
    private static final int LEAST_MESSAGE_BYTES = 1000;

    private static final int MOST_HANDSHAKE_BYTES = 64 * 1024;

    /** Less is no time for a message to come. */
    private static final Duration LEAST_IDLE_TIMEOUT = Duration.ofMillis(2);

    // Of logBytes; a half of them, at most, are rooms and a member each.
    private static final int BYTES_FOR_A_ROOM = 1_024;
    private static final int LEAST_ROOMS = 1_000;
    private static final int MOST_ROOMS_OF_A_USER = 10_000;
    private static final int BYTES_FOR_A_ROOM_OF_A_USER = 4_096; // so that one takes a quarter of these rooms at most

    private static final int SESSIONS_FOR_A_CONNECTION = 5;

    private final Builder values;

    private Limits(Builder values) {
        this.values = values;
    }

    /** The defaults. */
    public static Limits defaults() {
        return builder().build();
    }

    /** A builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** The longest inbound message in bytes; beyond it the connection closes with 1009. */
    public int messageBytes() {
        return values.messageBytes;
    }

    /** How many bytes may wait for one receiver; beyond it the connection closes with 4102. */
    public int outboundBytes() {
        return values.outboundBytes;
    }

    /** How many connections may be open; further upgrades are refused. */
    public int connections() {
        return values.connections;
    }

    /** How many connections may be open from one address, or one IPv6 /64 network; further ones are refused. */
    public int connectionsPerAddress() {
        return values.connectionsPerAddress > 0 ? values.connectionsPerAddress : Math.max(1, connections() / 2);
    }

    /** How many connections may be without a finished upgrade; beyond it the one that has waited longest is cut. */
    public int pendingUpgrades() {
        return values.pendingUpgrades;
    }

    /** The longest upgrade request in bytes; beyond it, or 64 headers, it is answered with 431 and the connection ends. */
    public int handshakeBytes() {
        return values.handshakeBytes;
    }

    /** How long an upgrade may take, TLS included; beyond it the connection is cut. */
    public Duration handshakeTimeout() {
        return values.handshakeTimeout;
    }

    /** How long a managed client may take to its {@code $hello}, and any to be authenticated; beyond it 4103. */
    public Duration helloTimeout() {
        return values.helloTimeout;
    }

    /** How long the rules may take over one question, all of its rooms together; what is not answered then is not allowed. */
    public Duration ruleTimeout() {
        return values.ruleTimeout;
    }

    /**
     * How many sessions the server may have, those without a connection included. For one more a session without a connection
     * ends, and what it sent and no handler has begun with is dropped: a managed client sends it again. It is a session of a
     * user who has most of these, and of those the one that has had no connection for longest. When there is none, the new
     * session is refused with 4100.
     */
    public int sessions() {
        return values.sessions > 0
                ? values.sessions
                : (int) Math.min(Integer.MAX_VALUE, (long) SESSIONS_FOR_A_CONNECTION * connections());
    }

    /**
     * How many sessions one user may have. As many more may have ended and wait until what they received is handled; beyond
     * that a new session is refused with 4100.
     */
    public int sessionsPerUser() {
        return values.sessionsPerUser;
    }

    /** What becomes of the next. */
    public SessionOverflow sessionOverflow() {
        return values.sessionOverflow;
    }

    /** After how long without a message from its client a connection closes with 4108; zero for never. */
    public Duration idleTimeout() {
        return values.idleTimeout;
    }

    /**
     * How fast one session may send. Beyond it a managed client's messages wait for their turn, and it is closed with 4101
     * when they overfill its mailbox; a plain client's are refused with {@code rate_limited}, and it is closed with 4101
     * when the refused ones exceed the limit once more.
     */
    public RateLimit ratePerSession() {
        return values.ratePerSession;
    }

    /** How fast all sessions of one user together may send; beyond it as {@link #ratePerSession}. */
    public RateLimit ratePerUser() {
        return values.ratePerUser;
    }

    /** How often one session may be resumed; beyond it the new connection closes with 4101. */
    public RateLimit resumptionsPerSession() {
        return values.resumptionsPerSession;
    }

    /**
     * How often one address may ask for a session without its secret, or as another user; beyond it those that do are
     * closed with 4101.
     */
    public RateLimit failedResumptionsPerAddress() {
        return values.failedResumptionsPerAddress;
    }

    /** How many messages of one session may wait for its handlers; beyond it the connection closes with 4100. */
    public int mailbox() {
        return values.mailbox;
    }

    /** How many unacknowledged messages a managed client may have on its way. */
    public int inflight() {
        return values.inflight;
    }

    /** How many malformed messages within a minute close a connection with 4000. */
    public int badMessages() {
        return values.badMessages;
    }

    /** How many rooms one session may be in; further joins are refused with {@code overloaded}. */
    public int roomsPerSession() {
        return values.roomsPerSession;
    }

    /**
     * How many rooms all sessions of one user together may be in, each session's counted; further joins, the application's
     * too, are refused with {@code overloaded}.
     */
    public int roomsPerUser() {
        return values.roomsPerUser > 0
                ? values.roomsPerUser
                : (int) Math.max(
                        roomsPerSession(), Math.min(MOST_ROOMS_OF_A_USER, logBytes() / BYTES_FOR_A_ROOM_OF_A_USER));
    }

    /**
     * How many rooms there may be, users' and sessions' inboxes apart; a join to another, and a message to another, is refused
     * with {@code overloaded}. A room exists while it has members or messages.
     */
    public int rooms() {
        return values.rooms > 0
                ? values.rooms
                : (int) Math.min(Integer.MAX_VALUE, Math.max(LEAST_ROOMS, logBytes() / BYTES_FOR_A_ROOM));
    }

    /**
     * How many requests of one session may wait at once for an answer that its handler gives later
     * ({@link RealtimeServer.Builder#onRequestAsync}); further ones are refused with {@code overloaded}. Those that wait of
     * sessions that are over count for each session of their user.
     */
    public int requestsPerSession() {
        return values.requestsPerSession;
    }

    /** How many streams one session may have asked for at once; further ones are refused with {@code overloaded}. */
    public int streamsPerSession() {
        return values.streamsPerSession;
    }

    /**
     * How many bytes of heap all rooms, their members and their logs may take together; beyond it the logs that hold more
     * than their share give up their oldest messages. Rooms and their members may take half of it; beyond that a join, and a
     * message that needs another room, is refused with {@code overloaded}.
     */
    public long logBytes() {
        return values.logBytes;
    }

    @Override
    public String toString() {
        return "Limits{messageBytes=" + messageBytes() + ", outboundBytes=" + outboundBytes() + ", connections="
                + connections() + ", connectionsPerAddress=" + connectionsPerAddress() + ", pendingUpgrades="
                + pendingUpgrades()
                + ", handshakeBytes=" + handshakeBytes() + ", handshakeTimeout=" + handshakeTimeout()
                + ", helloTimeout=" + helloTimeout() + ", ruleTimeout=" + ruleTimeout() + ", sessions=" + sessions()
                + ", sessionsPerUser="
                + (sessionsPerUser() == Integer.MAX_VALUE ? "unlimited" : sessionsPerUser()) + ", sessionOverflow="
                + sessionOverflow() + ", idleTimeout="
                + (idleTimeout().isZero() ? "off" : idleTimeout()) + ", ratePerSession="
                + ratePerSession() + ", ratePerUser=" + ratePerUser() + ", resumptionsPerSession="
                + resumptionsPerSession() + ", failedResumptionsPerAddress=" + failedResumptionsPerAddress()
                + ", mailbox=" + mailbox() + ", inflight=" + inflight() + ", badMessages=" + badMessages()
                + ", roomsPerSession=" + roomsPerSession() + ", roomsPerUser=" + roomsPerUser() + ", rooms=" + rooms()
                + ", requestsPerSession=" + requestsPerSession() + ", streamsPerSession=" + streamsPerSession()
                + ", logBytes=" + logBytes() + "}";
    }

    /** Builds {@link Limits}; not safe for use by many threads. */
    public static final class Builder implements Cloneable {
        private int messageBytes = 64 * 1024;
        private int outboundBytes = 1024 * 1024;
        private int connections = 20_000;
        private int connectionsPerAddress; // 0: half of connections
        private int pendingUpgrades = 1000;
        private int handshakeBytes = 8 * 1024;
        private Duration handshakeTimeout = Duration.ofSeconds(10);
        private Duration helloTimeout = Duration.ofSeconds(10);
        private Duration ruleTimeout = Duration.ofSeconds(5);
        private int sessions; // 0: by connections
        private int sessionsPerUser = Integer.MAX_VALUE;
        private SessionOverflow sessionOverflow = SessionOverflow.REFUSE_NEW;
        private Duration idleTimeout = Duration.ZERO;
        private RateLimit ratePerSession = RateLimit.perSecond(100).withBurst(200);
        private RateLimit ratePerUser = RateLimit.perSecond(100).withBurst(200);
        private RateLimit resumptionsPerSession = RateLimit.perMinute(60);
        private RateLimit failedResumptionsPerAddress = RateLimit.perMinute(10);
        private int mailbox = 1024;
        private int inflight = 256;
        private int badMessages = 10;
        private int roomsPerSession = 1000;
        private int roomsPerUser; // 0: by logBytes
        private int rooms; // 0: by logBytes
        private int requestsPerSession = 1_000;
        private int streamsPerSession = 100;
        private long logBytes = Math.min(256L << 20, Runtime.getRuntime().maxMemory() / 4);

        private Builder() {}

        /** Default 64 KiB. */
        public Builder messageBytes(int bytes) {
            this.messageBytes = bytes;
            return this;
        }

        /** Default 1 MiB. */
        public Builder outboundBytes(int bytes) {
            this.outboundBytes = bytes;
            return this;
        }

        /** Default 20,000. */
        public Builder connections(int count) {
            this.connections = count;
            return this;
        }

        /**
         * Default half of {@link #connections}, so that one host cannot take all. Lower it, to 100 say, where clients
         * connect directly; a proxy in front makes all of them come from its own address.
         */
        public Builder connectionsPerAddress(int count) {
            positive("connectionsPerAddress", count);
            this.connectionsPerAddress = count;
            return this;
        }

        /** Default 1,000. */
        public Builder pendingUpgrades(int count) {
            this.pendingUpgrades = count;
            return this;
        }

        /** Default 8 KiB; at most 64 KiB. */
        public Builder handshakeBytes(int bytes) {
            this.handshakeBytes = bytes;
            return this;
        }

        /** Default 10 s. */
        public Builder handshakeTimeout(Duration timeout) {
            this.handshakeTimeout = timeout;
            return this;
        }

        /** Default 10 s. */
        public Builder helloTimeout(Duration timeout) {
            this.helloTimeout = timeout;
            return this;
        }

        /** Default 5 s. A client of this project gives a connection up that has not welcomed it within 10 s. */
        public Builder ruleTimeout(Duration timeout) {
            this.ruleTimeout = timeout;
            return this;
        }

        /** Default five for each of {@link #connections}, which is 100,000. */
        public Builder sessions(int count) {
            positive("sessions", count);
            this.sessions = count;
            return this;
        }

        /** Default unlimited; what exceeds it is refused. */
        public Builder sessionsPerUser(int count) {
            return sessionsPerUser(count, SessionOverflow.REFUSE_NEW);
        }

        /** Default unlimited. */
        public Builder sessionsPerUser(int count, SessionOverflow overflow) {
            this.sessionsPerUser = count;
            this.sessionOverflow = overflow;
            return this;
        }

        /** Default zero: never; at least 2 ms. */
        public Builder idleTimeout(Duration timeout) {
            this.idleTimeout = timeout;
            return this;
        }

        /** Per session and per user at once. Default 100 a second with a burst of 200. */
        public Builder rate(RateLimit limit) {
            return ratePerSession(limit).ratePerUser(limit);
        }

        /** Default 100 a second with a burst of 200. */
        public Builder ratePerSession(RateLimit limit) {
            this.ratePerSession = limit;
            return this;
        }

        /** Default 100 a second with a burst of 200. */
        public Builder ratePerUser(RateLimit limit) {
            this.ratePerUser = limit;
            return this;
        }

        /** Default 60 a minute. */
        public Builder resumptionsPerSession(RateLimit limit) {
            this.resumptionsPerSession = limit;
            return this;
        }

        /** Default 10 a minute. */
        public Builder failedResumptionsPerAddress(RateLimit limit) {
            this.failedResumptionsPerAddress = limit;
            return this;
        }

        /** Default 1,024. */
        public Builder mailbox(int messages) {
            this.mailbox = messages;
            return this;
        }

        /** Default 256; at most half of {@link #mailbox}. */
        public Builder inflight(int messages) {
            this.inflight = messages;
            return this;
        }

        /** Default 10. */
        public Builder badMessages(int perMinute) {
            this.badMessages = perMinute;
            return this;
        }

        /** Default 1,000. */
        public Builder roomsPerSession(int rooms) {
            this.roomsPerSession = rooms;
            return this;
        }

        /** Default 10,000, or one for each 4 KiB of {@link #logBytes} where that is less; at least {@link #roomsPerSession}. */
        public Builder roomsPerUser(int count) {
            positive("roomsPerUser", count);
            this.roomsPerUser = count;
            return this;
        }

        /** Default one for each KiB of {@link #logBytes}, which is 262,144 of 256 MiB, and at least 1,000. */
        public Builder rooms(int count) {
            positive("rooms", count);
            this.rooms = count;
            return this;
        }

        /** Default 1,000. */
        public Builder requestsPerSession(int requests) {
            this.requestsPerSession = requests;
            return this;
        }

        /** Default 100. */
        public Builder streamsPerSession(int streams) {
            this.streamsPerSession = streams;
            return this;
        }

        /** Default 256 MiB, but at most a quarter of the heap. */
        public Builder logBytes(long bytes) {
            this.logBytes = bytes;
            return this;
        }

        /**
         * Returns the immutable result.
         *
         * @throws IllegalArgumentException when a value is not positive, or two contradict each other
         */
        public Limits build() {
            positive("messageBytes", messageBytes);
            positive("outboundBytes", outboundBytes);
            positive("connections", connections);
            positive("pendingUpgrades", pendingUpgrades);
            positive("handshakeBytes", handshakeBytes);
            if (handshakeBytes > MOST_HANDSHAKE_BYTES) {
                throw new IllegalArgumentException(
                        "handshakeBytes " + handshakeBytes + " exceeds " + MOST_HANDSHAKE_BYTES
                                + ": every connection may cost as much before it is authenticated, and keeps it");
            }
            handshakeTimeout = Durations.positive("handshakeTimeout", handshakeTimeout);
            helloTimeout = Durations.positive("helloTimeout", helloTimeout);
            ruleTimeout = Durations.positive("ruleTimeout", ruleTimeout);
            positive("sessionsPerUser", sessionsPerUser);
            idleTimeout = Durations.notNegative("idleTimeout", idleTimeout);
            positive("mailbox", mailbox);
            positive("inflight", inflight);
            positive("badMessages", badMessages);
            positive("roomsPerSession", roomsPerSession);
            positive("requestsPerSession", requestsPerSession);
            positive("streamsPerSession", streamsPerSession);
            positive("logBytes", logBytes);
            if (messageBytes < LEAST_MESSAGE_BYTES) {
                throw new IllegalArgumentException("messageBytes " + messageBytes + " is below " + LEAST_MESSAGE_BYTES
                        + ": a room of the longest name could not be joined again");
            }
            if (inflight > mailbox / 2) { // a client asks to join and leave beside its messages
                throw new IllegalArgumentException("inflight " + inflight + " is more than half of mailbox " + mailbox
                        + ": a client that keeps to the one would be closed for the other");
            }
            if (!idleTimeout.isZero() && idleTimeout.compareTo(LEAST_IDLE_TIMEOUT) < 0) {
                throw new IllegalArgumentException("idleTimeout " + idleTimeout + " is below " + LEAST_IDLE_TIMEOUT);
            }
            if (messageBytes > outboundBytes / 2) {
                throw new IllegalArgumentException(
                        "messageBytes " + messageBytes + " is more than half of outboundBytes " + outboundBytes);
            }
            try {
                return new Limits((Builder) clone());
            } catch (CloneNotSupportedException impossible) {
                throw new IllegalStateException(impossible);
            }
        }

        private static void positive(String name, long value) {
            if (value <= 0) {
                throw new IllegalArgumentException(name + " " + value + " is not positive");
            }
        }
    }
}
