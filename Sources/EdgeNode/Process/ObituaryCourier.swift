import Binary
import Cluster
import Glibc
import Raft
import TLS

/// Brings obituaries to every node that the dead process knew, its own successor included, again and
/// again until one of them says that the fence is applied (O7). Non-blocking sockets, one thread.
struct ObituaryCourier {
    /// After this long everybody has waited out the lease anyway.
    private static let patienceMs: UInt64 = 60_000
    private var errands: [Errand] = []

    var isBusy: Bool { !errands.isEmpty }

    /// - Parameter security: what the dead process's node proves itself with; nil where links are in the clear.
    mutating func report(node: UInt64, nonce: UInt64, peers: PeerFile, security: TLSContext?) {
        errands.append(
            Errand(
                obituary: Obituary(node: NodeID(rawValue: node), nonce: nonce), clusterID: peers.clusterID,
                security: security, stops: peers.addresses.map { Errand.Stop(address: $0) },
                untilMs: nowMs() + Self.patienceMs))
        advance()
    }

    /// Does what can be done without waiting.
    mutating func advance() {
        let now = nowMs()
        for position in errands.indices { errands[position].advance(nowMs: now) }
        for errand in errands where errand.isOver(nowMs: now) { errand.close() }
        errands.removeAll { $0.isOver(nowMs: now) }
    }

    /// Until a node has something to say, or can be told something, but no longer than this.
    func wait(atMostMs: Int32) {
        var sockets = errands.flatMap(\.stops).compactMap(\.call).map {
            pollfd(fd: $0.socket, events: Int16($0.wait == .toRead ? POLLIN : POLLOUT), revents: 0)
        }
        poll(&sockets, nfds_t(sockets.count), atMostMs)
    }

    /// For a parent that ends with its child: a last attempt, bounded.
    mutating func finish(withinMs: UInt64) {
        let end = nowMs() + withinMs
        while isBusy, nowMs() < end {
            advance()
            wait(atMostMs: 5)
        }
        for errand in errands { errand.close() }
        errands = []
    }

    private func nowMs() -> UInt64 { SystemClocks.now().rawNs / 1_000_000 }
}

/// One death, and the nodes that are to be told of it.
private struct Errand {
    struct Stop {
        var address: String
        var call: ObituaryCall?
        var nextTryMs: UInt64 = 0
    }

    var obituary: Obituary
    var clusterID: UInt64
    var security: TLSContext?
    var stops: [Stop]
    var untilMs: UInt64

    private static let retryMs: UInt64 = 200

    mutating func advance(nowMs: UInt64) {
        for position in stops.indices {
            if stops[position].call == nil, nowMs >= stops[position].nextTryMs {
                stops[position].nextTryMs = nowMs + Self.retryMs
                stops[position].call = ObituaryCall(to: stops[position].address, saying: words, security: security)
            }
            // What a node said last counts, although it has closed.
            guard stops[position].call?.advance() == false, !hasConfirmed(stops[position]) else { continue }
            stops[position].call?.close()
            stops[position].call = nil
        }
    }

    /// Hello and obituary at once.
    private var words: [UInt8] {
        let hello = PeerHello(
            role: .parent, clusterID: clusterID, nodeID: obituary.node, nonce: obituary.nonce)
        var writer = ByteWriter(continuing: hello.encode())
        writer.writeFrame(.obituary(obituary))
        return writer.bytes
    }

    func isOver(nowMs: UInt64) -> Bool {
        nowMs >= untilMs || stops.isEmpty || stops.contains { hasConfirmed($0) }
    }

    /// The node repeats the obituary once the fence is applied there.
    private func hasConfirmed(_ stop: Stop) -> Bool {
        guard let call = stop.call else { return false }
        var reader = ByteReader(call.received)
        guard (try? reader.skip(PeerHelloAnswer.byteCount)) != nil,
            let length = try? reader.readUInt32(), let frame = try? reader.skip(Int(length))
        else { return false }
        var body = ByteReader(call.received, range: frame)
        guard case .obituary(let settled)? = try? PeerMessage(from: &body) else { return false }
        return settled == obituary
    }

    func close() {
        for stop in stops { stop.call?.close() }
    }
}
