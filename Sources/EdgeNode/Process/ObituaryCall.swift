import Binary
import Cluster
import Glibc
import TLS

/// One conversation of the courier with one node, over a socket that never waits; inside TLS where the node has
/// certificates.
struct ObituaryCall {
    enum Wait {
        /// Until the connection is there, or takes more.
        case toWrite
        case toRead
    }

    let socket: Int32
    /// Nil where links are in the clear.
    private let engine: TLSEngine?
    private var isConnected = false
    private var unsent: [UInt8]
    private(set) var received: [UInt8] = []

    private static let receivedMax = 4_096

    /// Nil if there is no way to that address.
    init?(to address: String, saying words: [UInt8], security: TLSContext?) {
        if let security {
            guard let engine = try? TLSEngine(context: security, peerName: .anybodyTrusted) else { return nil }
            engine.send(words)
            self.engine = engine
            unsent = engine.takeOutput()
        } else {
            engine = nil
            unsent = words
        }
        socket = ObituaryCall.dial(address)
        guard socket >= 0 else { return nil }
    }

    func close() { Glibc.close(socket) }

    var wait: Wait { unsent.isEmpty ? .toRead : .toWrite }

    /// Does what can be done without waiting. False when the connection is gone.
    mutating func advance() -> Bool {
        if !isConnected {
            var state = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            guard poll(&state, 1, 0) == 1 else { return true }
            isConnected = state.revents & Int16(POLLOUT) != 0
            guard isConnected else { return false }
        }
        // What is heard may have to be answered at once, during a handshake.
        return speak() && listen() && speak()
    }

    private mutating func speak() -> Bool {
        while !unsent.isEmpty {
            let count = write(socket, unsent, unsent.count)
            guard count > 0 else { return isOnlyWaiting(count) }
            unsent.removeFirst(count)
        }
        return true
    }

    private mutating func listen() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 8_192)
        let count = read(socket, &bytes, bytes.count)
        guard count > 0 else { return isOnlyWaiting(count) }
        guard let engine else {
            received += bytes[..<count]
            return received.count < Self.receivedMax
        }
        engine.receive(bytes[..<count])
        received += engine.takePlaintext()
        unsent += engine.takeOutput()
        if case .failed = engine.state { return false }
        return received.count < Self.receivedMax
    }

    private func isOnlyWaiting(_ count: Int) -> Bool { count < 0 && (errno == EAGAIN || errno == EINTR) }

    private static func dial(_ address: String) -> Int32 {
        guard let (host, port) = splitAddress(address) else { return -1 }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let info = found else { return -1 }
        defer { freeaddrinfo(found) }
        let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let handle = Glibc.socket(info.pointee.ai_family, flags, 0)
        guard handle >= 0 else { return -1 }
        let result = connect(handle, info.pointee.ai_addr, info.pointee.ai_addrlen)
        guard result == 0 || errno == EINPROGRESS else {
            Glibc.close(handle)
            return -1
        }
        return handle
    }
}
