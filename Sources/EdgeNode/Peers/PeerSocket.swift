import Glibc
import NIOCore
import NIOPosix

/// What the system is told of the sockets of links, at both ends, so that none outlives its peer.
///
/// Frames need no answer that would tell, and the receiving end sends nothing at all: without these a link whose peer
/// has vanished would stay for a quarter of an hour at the one end, and for ever at the other.
enum PeerSocket {
    /// A peer whose system acknowledges nothing, or takes nothing, for so long has vanished. By default the system
    /// tries for a quarter of an hour, at last every two minutes: so long a link could stay dumb after a partition
    /// has healed. Three leases: who is merely slow keeps its link.
    static let unacknowledgedMsMax = 5_000
    /// A socket that carries nothing is asked after so long whether its peer is there; one that does not answer until
    /// the next question has been unacknowledged for long enough.
    static let quietSecondsMax = 10
    static let secondsBetweenQuestions = 5

    /// From the connection to the hello, or to its answer, TLS included: with whoever says nothing no socket is kept.
    static let greetingSecondsMax: Int64 = 15

    static let options: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] = [
        (.tcpOption(.tcp_nodelay), 1),
        (.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), .init(unacknowledgedMsMax)),
        (.socketOption(.so_keepalive), 1),
        (.tcpOption(.init(rawValue: TCP_KEEPIDLE)), .init(quietSecondsMax)),
        (.tcpOption(.init(rawValue: TCP_KEEPINTVL)), .init(secondsBetweenQuestions)),
    ]

    static func dialing(on loop: any EventLoop) -> ClientBootstrap {
        options.reduce(ClientBootstrap(group: loop).connectTimeout(.milliseconds(1_000))) {
            $0.channelOption($1.0, value: $1.1)
        }
    }

    /// For an initializer of accepted connections, on the channel's loop.
    static func configure(
        _ channel: any Channel, owner: any PeerReceiverOwner, security: PeerSecurity?
    ) throws {
        for (option, value) in options { try channel.syncOptions?.setOption(option, value: value) }
        let pipeline = channel.pipeline.syncOperations
        if let security { try pipeline.addHandler(security.acceptingHandler()) }
        try pipeline.addHandler(PeerReceiver(owner: owner, own: security?.own))
    }
}
