import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import TLS

/// Over sockets: the system resets a connection that is closed with unread bytes.
struct LingeringSocketTests {
    private static let garbage = [UInt8](repeating: 7, count: 100_000)

    /// What a client reads that says all of `bytes` first, and how its connection ends: 0, or an errno.
    private func answer(to bytes: [UInt8], of port: Int) -> (bytes: [UInt8], end: Int32) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0, send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            return ([], errno)
        }
        var (heard, room) = ([UInt8](), [UInt8](repeating: 0, count: 4_096))
        while true {
            let count = recv(socket, &room, room.count, 0)
            guard count > 0 else { return (heard, count == 0 ? 0 : errno) }
            heard += room.prefix(count)
        }
    }

    /// 100 KB are more than the server reads before it has its reason to close.
    @Test func whoStillSendsReadsTheAlertAndACleanEnd() throws {
        let context = try TLSContext(.testServer())
        let server = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSHandler(context: context))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        let port = try #require(server.localAddress?.port)
        // A message of 16 MiB is announced.
        let said = answer(to: [22, 3, 1, 64, 0, 1, 255, 255, 255] + Self.garbage, of: port)
        #expect(said.bytes == [21, 3, 3, 0, 2, 2, 47])
        #expect(said.end == 0)
        try server.close().wait()
    }
}
