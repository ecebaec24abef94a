import Binary
import Cluster
import Glibc
import Raft

/// Brings obituaries to every node that the dead process knew, its own successor included, again and
/// again until one of them says that the fence is applied (O7). Non-blocking sockets, one thread.
struct ObituaryCourier {
    private struct Errand {
        var obituary: Obituary
        var clusterID: UInt64
        var calls: [Call]
    }

    /// A conversation with one node.
    private struct Call {
        var address: String
        var socket: Int32 = -1
        var hasSent = false
        var received: [UInt8] = []
        var nextTryMs: UInt64 = 0
    }

    private static let retryMs: UInt64 = 200
    /// After this long everybody has waited out the lease anyway.
    private static let patienceMs: UInt64 = 60_000
    private var errands: [(errand: Errand, untilMs: UInt64)] = []

    var isBusy: Bool { !errands.isEmpty }

    mutating func report(node: UInt64, nonce: UInt64, peers: PeerFile) {
        let errand = Errand(
            obituary: Obituary(node: NodeID(rawValue: node), nonce: nonce), clusterID: peers.clusterID,
            calls: peers.addresses.map { Call(address: $0) })
        errands.append((errand, nowMs() + Self.patienceMs))
        advance()
    }

    /// Does what can be done without waiting.
    mutating func advance() {
        let now = nowMs()
        for position in errands.indices {
            var errand = errands[position].errand
            errand.calls = errand.calls.map { advanced($0, errand, now: now) }
            errands[position].errand = errand
        }
        let over = errands.filter { isSettled($0.errand) || now >= $0.untilMs }
        for (errand, _) in over { close(errand) }
        errands = errands.filter { !isSettled($0.errand) && now < $0.untilMs }
    }

    /// For a parent that ends with its child: a last attempt, bounded.
    mutating func finish(withinMs: UInt64) {
        let end = nowMs() + withinMs
        while isBusy, nowMs() < end {
            advance()
            poll(nil, 0, 5)
        }
        for (errand, _) in errands { close(errand) }
        errands = []
    }

    private func advanced(_ before: Call, _ errand: Errand, now: UInt64) -> Call {
        var call = before
        if call.socket < 0 {
            guard now >= call.nextTryMs else { return call }
            call.nextTryMs = now + Self.retryMs
            call.socket = dial(call.address)
            call.hasSent = false
            call.received = []
        }
        if call.socket >= 0, !call.hasSent { call.hasSent = speak(call, errand) }
        if call.socket >= 0, call.hasSent, !listen(&call) {
            Glibc.close(call.socket)
            call.socket = -1
        }
        return call
    }

    private func dial(_ address: String) -> Int32 {
        guard let (host, port) = splitAddress(address) else { return -1 }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let info = found else { return -1 }
        defer { freeaddrinfo(found) }
        let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let handle = socket(info.pointee.ai_family, flags, 0)
        guard handle >= 0 else { return -1 }
        let result = connect(handle, info.pointee.ai_addr, info.pointee.ai_addrlen)
        guard result == 0 || errno == EINPROGRESS else {
            Glibc.close(handle)
            return -1
        }
        return handle
    }

    /// Hello and obituary in one write, once the connection is there.
    private func speak(_ call: Call, _ errand: Errand) -> Bool {
        var state = pollfd(fd: call.socket, events: Int16(POLLOUT), revents: 0)
        guard poll(&state, 1, 0) == 1, state.revents & Int16(POLLOUT) != 0 else { return false }
        let hello = PeerHello(
            role: .parent, clusterID: errand.clusterID, nodeID: errand.obituary.node,
            nonce: errand.obituary.nonce)
        var writer = ByteWriter(continuing: hello.encode())
        writer.writeFrame(.obituary(errand.obituary))
        return write(call.socket, writer.bytes, writer.count) == writer.count
    }

    /// False when the connection is gone.
    private func listen(_ call: inout Call) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = read(call.socket, &bytes, bytes.count)
        if count > 0 {
            call.received += bytes[..<count]
            return call.received.count < 4_096
        }
        return count < 0 && (errno == EAGAIN || errno == EINTR)
    }

    /// The node repeats the obituary once the fence is applied there.
    private func isSettled(_ errand: Errand) -> Bool {
        errand.calls.isEmpty || errand.calls.contains { hasConfirmed($0, errand.obituary) }
    }

    private func hasConfirmed(_ call: Call, _ obituary: Obituary) -> Bool {
        var reader = ByteReader(call.received)
        guard (try? reader.skip(PeerHelloAnswer.byteCount)) != nil,
            let length = try? reader.readUInt32(), let frame = try? reader.skip(Int(length))
        else { return false }
        var body = ByteReader(call.received, range: frame)
        guard case .obituary(let settled)? = try? PeerMessage(from: &body) else { return false }
        return settled == obituary
    }

    private func close(_ errand: Errand) {
        for call in errand.calls where call.socket >= 0 { Glibc.close(call.socket) }
    }

    private func nowMs() -> UInt64 { SystemClocks.now().rawNs / 1_000_000 }
}
