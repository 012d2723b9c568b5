package io.realtime.server;

import io.realtime.internal.Durations;
import java.time.Duration;

/** Bounds of what one peer may use. Immutable. Every bound has a safe default and a defined refusal. */
public final class Limits {
    /** The size that the protocol's own requests and answers about one room with the longest name need. */
    private static final int LEAST_MESSAGE_BYTES = 1000;

    private static final int MOST_HANDSHAKE_BYTES = 64 * 1024;

    /** A shorter timeout leaves no time for a message to arrive. */
    private static final Duration LEAST_IDLE_TIMEOUT = Duration.ofMillis(2);

    // Divisors of logBytes. Rooms with one member each take at most half of logBytes.
    private static final int BYTES_FOR_A_ROOM = 1_024;
    private static final int LEAST_ROOMS = 1_000;
    private static final int MOST_ROOMS_OF_A_USER = 10_000;
    // Large enough that one user takes at most a quarter of all rooms.
    private static final int BYTES_FOR_A_ROOM_OF_A_USER = 4_096;

    private static final int SESSIONS_FOR_A_CONNECTION = 5;

    private final Builder values;

    private Limits(Builder values) {
        this.values = values;
    }

    /** Returns limits that all have their defaults. */
    public static Limits defaults() {
        return builder().build();
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns the maximum length of an inbound message in bytes. A longer message closes the connection with 1009. */
    public int messageBytes() {
        return values.messageBytes;
    }

    /** Returns how many bytes may wait for one receiver. Beyond that its connection is closed with 4102. */
    public int outboundBytes() {
        return values.outboundBytes;
    }

    /** Returns how many connections may be open. Further upgrades are refused. */
    public int connections() {
        return values.connections;
    }

    /**
     * Returns how many connections may be open from one address, or from one IPv6 /64 network. Further ones are
     * refused.
     */
    public int connectionsPerAddress() {
        return values.connectionsPerAddress > 0 ? values.connectionsPerAddress : Math.max(1, connections() / 2);
    }

    /**
     * Returns how many connections may have no finished upgrade. Beyond that the one that has waited longest is cut.
     */
    public int pendingUpgrades() {
        return values.pendingUpgrades;
    }

    /**
     * Returns the maximum length of an upgrade request in bytes. A longer one, or one of more than 64 headers, is
     * answered with 431, and the connection ends.
     */
    public int handshakeBytes() {
        return values.handshakeBytes;
    }

    /** Returns how long an upgrade may take, TLS included. After that the connection is cut. */
    public Duration handshakeTimeout() {
        return values.handshakeTimeout;
    }

    /**
     * Returns how long a managed client may take to send {@code $hello}, and how long the authentication of any client
     * may take. After that the connection is closed with 4103.
     */
    public Duration helloTimeout() {
        return values.helloTimeout;
    }

    /**
     * Returns how long a rule may take to answer, for all rooms of one request together. A rule that has not answered
     * by then means no.
     */
    public Duration ruleTimeout() {
        return values.ruleTimeout;
    }

    /**
     * Returns how many sessions the server may have, those without a connection included. When one more is needed, a
     * session without a connection is evicted: it belongs to a user who has most of these sessions, and of that user's
     * it is the one that has had no connection for longest. Its messages that no handler has begun with are dropped; a
     * managed client retransmits them. When every session has a connection, the new session is refused with 4100.
     */
    public int sessions() {
        return values.sessions > 0
                ? values.sessions
                : (int) Math.min(Integer.MAX_VALUE, (long) SESSIONS_FOR_A_CONNECTION * connections());
    }

    /**
     * Returns how many sessions one user may have. The same number again may have ended and wait until the messages
     * that they received are handled. Beyond that a new session is refused with 4100.
     */
    public int sessionsPerUser() {
        return values.sessionsPerUser;
    }

    /** Returns what happens when a user exceeds {@link #sessionsPerUser}. */
    public SessionOverflow sessionOverflow() {
        return values.sessionOverflow;
    }

    /** Returns after how long without a message from its client a connection is closed with 4108. Zero means never. */
    public Duration idleTimeout() {
        return values.idleTimeout;
    }

    /**
     * Returns how fast one session may send. Beyond this rate the messages of a managed client wait, and the client is
     * closed with 4101 when they overfill its mailbox. The messages of a plain client are refused with {@code
     * rate_limited}, and the client is closed with 4101 when the refused messages exceed the rate once more.
     */
    public RateLimit ratePerSession() {
        return values.ratePerSession;
    }

    /**
     * Returns how fast all sessions of one user together may send. Beyond that the same happens as with {@link
     * #ratePerSession}.
     */
    public RateLimit ratePerUser() {
        return values.ratePerUser;
    }

    /** Returns how often one session may be resumed. Beyond that the new connection is closed with 4101. */
    public RateLimit resumptionsPerSession() {
        return values.resumptionsPerSession;
    }

    /**
     * Returns how often one address may request a session without its secret, or as another user. Beyond that
     * connections that do so are closed with 4101.
     */
    public RateLimit failedResumptionsPerAddress() {
        return values.failedResumptionsPerAddress;
    }

    /**
     * Returns how many messages of one session may wait for its handlers. Beyond that the connection is closed with
     * 4100.
     */
    public int mailbox() {
        return values.mailbox;
    }

    /** Returns how many unacknowledged messages a managed client may have in flight. */
    public int inflight() {
        return values.inflight;
    }

    /** Returns how many malformed messages within a minute close a connection with 4000. */
    public int badMessages() {
        return values.badMessages;
    }

    /** Returns how many rooms one session may be in. Further joins are refused with {@code overloaded}. */
    public int roomsPerSession() {
        return values.roomsPerSession;
    }

    /**
     * Returns how many rooms all sessions of one user together may be in. A room counts once for each session. Further
     * joins, also those by the application, are refused with {@code overloaded}.
     */
    public int roomsPerUser() {
        return values.roomsPerUser > 0
                ? values.roomsPerUser
                : (int) Math.max(
                        roomsPerSession(), Math.min(MOST_ROOMS_OF_A_USER, logBytes() / BYTES_FOR_A_ROOM_OF_A_USER));
    }

    /**
     * Returns how many rooms may exist, without the inboxes of users and sessions. A join or a message that needs one
     * more room is refused with {@code overloaded}. A room exists while it has members or messages.
     */
    public int rooms() {
        return values.rooms > 0
                ? values.rooms
                : (int) Math.min(Integer.MAX_VALUE, Math.max(LEAST_ROOMS, logBytes() / BYTES_FOR_A_ROOM));
    }

    /**
     * Returns how many requests of one session may wait at once for an answer that the handler gives later ({@link
     * RealtimeServer.Builder#onRequestAsync}). Further ones are refused with {@code overloaded}. Requests that still
     * wait from sessions that have ended count for each session of the same user.
     */
    public int requestsPerSession() {
        return values.requestsPerSession;
    }

    /**
     * Returns how many streams one session may have requested at once. Further ones are refused with {@code
     * overloaded}.
     */
    public int streamsPerSession() {
        return values.streamsPerSession;
    }

    /**
     * Returns how many bytes of heap all rooms, their members and their logs may take together. Beyond that, the logs
     * that hold more than their share drop their oldest messages. Rooms and their members may take half of it. Beyond
     * that half, a join or a message that needs another room is refused with {@code overloaded}.
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

    /** Builder of {@link Limits}. Not safe for use by many threads. */
    public static final class Builder implements Cloneable {
        private int messageBytes = 64 * 1024;
        private int outboundBytes = 1024 * 1024;
        private int connections = 20_000;
        private int connectionsPerAddress; // 0 means half of connections
        private int pendingUpgrades = 1000;
        private int handshakeBytes = 8 * 1024;
        private Duration handshakeTimeout = Duration.ofSeconds(10);
        private Duration helloTimeout = Duration.ofSeconds(10);
        private Duration ruleTimeout = Duration.ofSeconds(5);
        private int sessions; // 0 means derived from connections
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
        private int roomsPerUser; // 0 means derived from logBytes
        private int rooms; // 0 means derived from logBytes
        private int requestsPerSession = 1_000;
        private int streamsPerSession = 100;
        private long logBytes = Math.min(256L << 20, Runtime.getRuntime().maxMemory() / 4);

        private Builder() {}

        /**
         * Sets the maximum length of an inbound message in bytes; default 64 KiB. At least 1,000, and at most half of
         * {@link #outboundBytes}. A longer message closes the connection with 1009.
         */
        public Builder messageBytes(int bytes) {
            this.messageBytes = bytes;
            return this;
        }

        /**
         * Sets how many bytes may wait for one receiver; default 1 MiB. Beyond that its connection is closed with 4102.
         */
        public Builder outboundBytes(int bytes) {
            this.outboundBytes = bytes;
            return this;
        }

        /** Sets how many connections may be open; default 20,000. Further upgrades are refused. */
        public Builder connections(int count) {
            this.connections = count;
            return this;
        }

        /**
         * Sets how many connections may be open from one address; default half of {@link #connections}, so that one
         * host cannot take all. Further ones are refused. Where clients connect directly, use a lower value, for
         * example 100. Behind a proxy all clients have the proxy's address.
         */
        public Builder connectionsPerAddress(int count) {
            positive("connectionsPerAddress", count);
            this.connectionsPerAddress = count;
            return this;
        }

        /**
         * Sets how many connections may have no finished upgrade; default 1,000. Beyond that the one that has waited
         * longest is cut.
         */
        public Builder pendingUpgrades(int count) {
            this.pendingUpgrades = count;
            return this;
        }

        /**
         * Sets the maximum length of an upgrade request in bytes; default 8 KiB, at most 64 KiB. A longer one is
         * answered with 431, and the connection ends.
         */
        public Builder handshakeBytes(int bytes) {
            this.handshakeBytes = bytes;
            return this;
        }

        /** Sets how long an upgrade may take; default 10 s. After that the connection is cut. */
        public Builder handshakeTimeout(Duration timeout) {
            this.handshakeTimeout = timeout;
            return this;
        }

        /**
         * Sets how long {@code $hello}, and an authentication, may take; default 10 s. After that the connection is
         * closed with 4103.
         */
        public Builder helloTimeout(Duration timeout) {
            this.helloTimeout = timeout;
            return this;
        }

        /**
         * Sets how long a rule may take; default 5 s. A rule that has not answered by then means no. A client of this
         * project gives a connection up when no welcome has arrived within 10 s.
         */
        public Builder ruleTimeout(Duration timeout) {
            this.ruleTimeout = timeout;
            return this;
        }

        /**
         * Sets how many sessions the server may have; default five for each of {@link #connections}, which is 100,000.
         * Beyond that a session without a connection is evicted: see {@link Limits#sessions}.
         */
        public Builder sessions(int count) {
            positive("sessions", count);
            this.sessions = count;
            return this;
        }

        /** Sets how many sessions one user may have; default unlimited. Further ones are refused with 4007. */
        public Builder sessionsPerUser(int count) {
            return sessionsPerUser(count, SessionOverflow.REFUSE_NEW);
        }

        /** Sets how many sessions one user may have, and what happens beyond that; default unlimited. */
        public Builder sessionsPerUser(int count, SessionOverflow overflow) {
            this.sessionsPerUser = count;
            this.sessionOverflow = overflow;
            return this;
        }

        /**
         * Sets after how long without a message a connection is closed with 4108; default zero, which means never. At
         * least 2 ms otherwise.
         */
        public Builder idleTimeout(Duration timeout) {
            this.idleTimeout = timeout;
            return this;
        }

        /** Sets the rate of each session, and the rate of each user; default 100 a second with a burst of 200. */
        public Builder rate(RateLimit limit) {
            return ratePerSession(limit).ratePerUser(limit);
        }

        /**
         * Sets how fast one session may send; default 100 a second with a burst of 200. Beyond that, see {@link
         * Limits#ratePerSession}.
         */
        public Builder ratePerSession(RateLimit limit) {
            this.ratePerSession = limit;
            return this;
        }

        /**
         * Sets how fast all sessions of one user together may send; default 100 a second with a burst of 200. Beyond
         * that, see {@link Limits#ratePerSession}.
         */
        public Builder ratePerUser(RateLimit limit) {
            this.ratePerUser = limit;
            return this;
        }

        /**
         * Sets how often one session may be resumed; default 60 a minute. Beyond that the new connection is closed with
         * 4101.
         */
        public Builder resumptionsPerSession(RateLimit limit) {
            this.resumptionsPerSession = limit;
            return this;
        }

        /**
         * Sets how often one address may request a session without its secret, or as another user; default 10 a minute.
         * Beyond that connections that do so are closed with 4101.
         */
        public Builder failedResumptionsPerAddress(RateLimit limit) {
            this.failedResumptionsPerAddress = limit;
            return this;
        }

        /**
         * Sets how many messages of one session may wait for its handlers; default 1,024. Beyond that the connection is
         * closed with 4100.
         */
        public Builder mailbox(int messages) {
            this.mailbox = messages;
            return this;
        }

        /**
         * Sets how many unacknowledged messages a managed client may have in flight; default 256, at most half of
         * {@link #mailbox}.
         */
        public Builder inflight(int messages) {
            this.inflight = messages;
            return this;
        }

        /** Sets how many malformed messages within a minute close a connection with 4000; default 10. */
        public Builder badMessages(int perMinute) {
            this.badMessages = perMinute;
            return this;
        }

        /**
         * Sets how many rooms one session may be in; default 1,000. Further joins are refused with {@code overloaded}.
         */
        public Builder roomsPerSession(int rooms) {
            this.roomsPerSession = rooms;
            return this;
        }

        /**
         * Sets how many rooms all sessions of one user together may be in; default 10,000, or one for each 4 KiB of
         * {@link #logBytes} where that is less, and at least {@link #roomsPerSession}. Further joins are refused with
         * {@code overloaded}.
         */
        public Builder roomsPerUser(int count) {
            positive("roomsPerUser", count);
            this.roomsPerUser = count;
            return this;
        }

        /**
         * Sets how many rooms may exist; default one for each KiB of {@link #logBytes}, which is 262,144 for 256 MiB,
         * and at least 1,000. What needs one more is refused with {@code overloaded}.
         */
        public Builder rooms(int count) {
            positive("rooms", count);
            this.rooms = count;
            return this;
        }

        /**
         * Sets how many requests of one session may wait for a later answer; default 1,000. Further ones are refused
         * with {@code overloaded}.
         */
        public Builder requestsPerSession(int requests) {
            this.requestsPerSession = requests;
            return this;
        }

        /**
         * Sets how many streams one session may have requested at once; default 100. Further ones are refused with
         * {@code overloaded}.
         */
        public Builder streamsPerSession(int streams) {
            this.streamsPerSession = streams;
            return this;
        }

        /**
         * Sets how many bytes of heap all rooms, their members and their logs may take; default 256 MiB, but at most a
         * quarter of the heap. Beyond that, see {@link Limits#logBytes}.
         */
        public Builder logBytes(long bytes) {
            this.logBytes = bytes;
            return this;
        }

        /**
         * Returns the limits. They do not change with this builder.
         *
         * @throws IllegalArgumentException when a value is not positive or not in its range, or when two values
         *     contradict each other
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
            // A client sends requests to join and leave in addition to its messages.
            if (inflight > mailbox / 2) {
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
