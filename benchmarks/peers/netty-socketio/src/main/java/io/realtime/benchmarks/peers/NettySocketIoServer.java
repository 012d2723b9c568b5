package io.realtime.benchmarks.peers;

import com.corundumstudio.socketio.Configuration;
import com.corundumstudio.socketio.SocketIOServer;
import com.corundumstudio.socketio.Transport;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.Epoll;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;

/**
 * An echo and a room on netty-socketio: WebSocket only, native epoll, its default threads, no compression, pings that are
 * minutes apart.
 */
public final class NettySocketIoServer extends SocketIOServer {
    private static final int BACKLOG = 4096;
    private static final int FRAME = 128 * 1024;
    private static final int MINUTES = 60_000;

    private final CompletableFuture<Integer> port = new CompletableFuture<>();

    private NettySocketIoServer(Configuration configuration) {
        super(configuration);
    }

    /**
     * Runs until the input ends.
     *
     * @throws Exception when the server does not start
     */
    public static void main(String[] none) throws Exception {
        Configuration configuration = new Configuration();
        configuration.setPort(0);
        configuration.setTransports(Transport.WEBSOCKET);
        configuration.setUseLinuxNativeEpoll(Epoll.isAvailable());
        configuration.setWebsocketCompression(false);
        configuration.setHttpCompression(false);
        configuration.setMaxFramePayloadLength(FRAME);
        configuration.setFirstDataTimeout(MINUTES);
        configuration.setPingInterval(10 * MINUTES);
        configuration.setPingTimeout(20 * MINUTES);
        configuration.getSocketConfig().setTcpNoDelay(true);
        configuration.getSocketConfig().setReuseAddress(true);
        configuration.getSocketConfig().setAcceptBackLog(BACKLOG);

        NettySocketIoServer server = new NettySocketIoServer(configuration);
        server.addEventListener("e", String.class, (client, payload, ack) -> client.sendEvent("e", payload));
        server.addEventListener("s", String.class, (client, payload, ack) -> {
            client.joinRoom("g");
            client.sendEvent("s", "");
        });
        server.addEventListener(
                "p",
                String.class,
                (client, payload, ack) -> server.getRoomOperations("g").sendEvent("p", payload));
        server.start();
        System.out.println("PORT " + server.port.get());
        System.in.transferTo(OutputStream.nullOutputStream());
        Runtime.getRuntime().halt(0);
    }

    /** Also asks for the port, which the server does not tell. */
    @Override
    protected void applyConnectionOptions(ServerBootstrap bootstrap) {
        super.applyConnectionOptions(bootstrap);
        bootstrap.handler(new ChannelInboundHandlerAdapter() {
            @Override
            public void channelActive(ChannelHandlerContext listening) {
                port.complete(((InetSocketAddress) listening.channel().localAddress()).getPort());
                listening.fireChannelActive();
            }
        });
    }
}
