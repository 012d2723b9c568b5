package io.realtime.server.internal.limits;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** What counts as one address where a limit holds for each address: an IPv4 address, or an IPv6 /64 network. */
public final class Network {
    private static final int NETWORK_BYTES = 8;

    private Network() {}

    /** Returns the name of the network that an address belongs to. Two addresses in one network have the same name. */
    public static String of(InetSocketAddress remote) {
        InetAddress address = remote.getAddress();
        if (address == null) {
            // The address is not resolved. No socket has such an address; it is a name in a simulated network.
            return remote.getHostString();
        }
        if (!(address instanceof Inet6Address)) {
            return address.getHostAddress();
        }
        byte[] bytes = address.getAddress();
        StringBuilder network = new StringBuilder();
        for (int i = 0; i < NETWORK_BYTES; i += 2) {
            network.append(Integer.toHexString(((bytes[i] & 0xFF) << 8) | (bytes[i + 1] & 0xFF)))
                    .append(':');
        }
        return network.append(":/64").toString();
    }
}
