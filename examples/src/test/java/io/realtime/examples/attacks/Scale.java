package io.realtime.examples.attacks;

import java.time.Duration;

/** How large the attacks are: small in every build, or at full size with {@code -Dattacks=full}. */
final class Scale {
    static final boolean FULL = "full".equals(System.getProperty("attacks"));

    static final int CLIENTS = of(20, 100);
    static final int PER_SECOND = of(10, 5); // messages of each
    static final int WARM_UP_ROUNDS = of(0, 100); // before the first of them: a cold server is slow without an attack
    static final int QUIET_ROUNDS = of(2, 50); // messages of each in the quiet run

    /** For how long an attack is made again and again; small ones once. */
    static final Duration ATTACK = Duration.ofSeconds(of(0, 5));

    /** Limits' default, except that a build does not wait so long. */
    static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(of(2, 10));

    private Scale() {}

    static int of(int small, int full) {
        return FULL ? full : small;
    }
}
