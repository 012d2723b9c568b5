package io.realtime.server;

import java.time.Duration;

/** What one peer may cost. Immutable; every bound has a safe default and a named refusal. */
public final class Limits {
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

    /** The longest upgrade request in bytes; beyond it it is answered with 431 and the connection ends. */
    public int handshakeBytes() {
        return values.handshakeBytes;
    }

    /** How long an upgrade may take, and then again the {@code $hello}; beyond it 4103. */
    public Duration handshakeTimeout() {
        return values.handshakeTimeout;
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

    /** How many bytes all logs together may hold; beyond it the coldest rooms are trimmed. */
    public long logBytes() {
        return values.logBytes;
    }

    @Override
    public String toString() {
        return "Limits{messageBytes=" + messageBytes() + ", outboundBytes=" + outboundBytes() + ", connections="
                + connections() + ", connectionsPerAddress=" + connectionsPerAddress() + ", pendingUpgrades="
                + pendingUpgrades()
                + ", handshakeBytes=" + handshakeBytes() + ", handshakeTimeout=" + handshakeTimeout()
                + ", mailbox=" + mailbox() + ", inflight=" + inflight() + ", badMessages=" + badMessages()
                + ", roomsPerSession=" + roomsPerSession() + ", logBytes=" + logBytes() + "}";
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
        private int mailbox = 1024;
        private int inflight = 256;
        private int badMessages = 10;
        private int roomsPerSession = 1000;
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

        /** Default 8 KiB. */
        public Builder handshakeBytes(int bytes) {
            this.handshakeBytes = bytes;
            return this;
        }

        /** Default 10 s. */
        public Builder handshakeTimeout(Duration timeout) {
            this.handshakeTimeout = timeout;
            return this;
        }

        /** Default 1,024. */
        public Builder mailbox(int messages) {
            this.mailbox = messages;
            return this;
        }

        /** Default 256. */
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
            positive("handshakeTimeout", handshakeTimeout.toMillis());
            positive("mailbox", mailbox);
            positive("inflight", inflight);
            positive("badMessages", badMessages);
            positive("roomsPerSession", roomsPerSession);
            positive("logBytes", logBytes);
            if (inflight > mailbox) {
                throw new IllegalArgumentException("inflight " + inflight + " exceeds mailbox " + mailbox
                        + ": a client that keeps to the one would be closed for the other");
            }
            if (outboundBytes < 2 * messageBytes) {
                throw new IllegalArgumentException("outboundBytes " + outboundBytes
                        + " holds less than two messages of " + messageBytes + " messageBytes");
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
