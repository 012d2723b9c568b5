package io.realtime.examples.simulation;

import java.util.Arrays;

/** What the engine does not promise yet: checked and done with {@code -Dsim.with=all}, or a name of these. */
enum Expected {
    CLIENT_REJECTIONS;

    boolean isOn() {
        String with = System.getProperty("sim.with", "");
        return with.equals("all") || Arrays.asList(with.split(",")).contains(name());
    }
}
