/**
 * One connection after the upgrade: {@code PeerAcceptor} answers upgrades and keeps a {@code Peer} for each connection.
 * A peer authenticates its client, gets it a session, and passes messages to the dispatcher. The transport's I/O thread
 * calls in; every thread may send.
 */
@NullMarked
package io.realtime.server.internal.connection;

import org.jspecify.annotations.NullMarked;
