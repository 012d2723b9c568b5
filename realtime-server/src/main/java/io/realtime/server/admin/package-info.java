/**
 * Endpoints for those who operate a server, over HTTP. They use the JDK's {@code jdk.httpserver}; a modular application
 * that uses them needs {@code requires jdk.httpserver;}.
 */
@NullMarked
package io.realtime.server.admin;

import org.jspecify.annotations.NullMarked;
