import ObjectRuntime
import Placement
import Raft

@testable import Cluster

/// Sockets of clients on the nodes of a `TestCluster`.
extension TestCluster {
    /// One socket of a client: where it is, and under which number.
    struct Socket: Equatable {
        var node: Int
        var number: UInt64
    }

    func carryOut(_ output: SocketOutput, at node: TestNode) {
        switch output {
        case .deliver(let frame, _, let numbers, let except):
            for number in numbers where number != except && node.closings[number] == nil {
                node.frames[number, default: []].append(String(decoding: frame, as: UTF8.self))
            }
        case .close(let socket, let closing):
            guard node.closings[socket.number] == nil else { return }
            node.closings[socket.number] = closing
            node.loop.step(.socket(.closed(socket, .closed)), now: now)
        }
    }

    /// Opens a socket and waits until it is connected.
    func connect(
        at number: Int, key: String = "k", object: String = "o", announcesResume: Bool = false
    ) -> Socket {
        let socket = open(at: number, key: key, object: object, announcesResume: announcesResume)
        advance(upToMs: 3_000) { !frames(of: socket).isEmpty }
        return socket
    }

    func open(
        at number: Int, key: String = "k", object: String = "o", announcesResume: Bool = false
    ) -> Socket {
        let socket = Socket(node: number, number: nextSocketNumber())
        step(
            .opened(
                SocketOpening(
                    socket: SocketID(loop: 0, number: socket.number), project: "p", objectClass: "c",
                    objectID: object, keyID: key, announcesResume: announcesResume)), at: number)
        return socket
    }

    private func nextSocketNumber() -> UInt64 {
        UInt64(nodes.reduce(1) { $0 + $1.frames.count + $1.closings.count }) * 100 + UInt64(now.wallMs % 97)
    }

    func send(_ frame: SocketFrame, over socket: Socket) {
        step(.frame(SocketID(loop: 0, number: socket.number), frame), at: socket.node)
    }

    func close(_ socket: Socket, _ end: SocketEnd = .closed) {
        step(.closed(SocketID(loop: 0, number: socket.number), end), at: socket.node)
    }

    private func step(_ input: SocketInput, at number: Int) {
        nodes[number].loop.step(.socket(input), now: now)
        flush(nodes[number])
        deliver()
    }

    /// From here on no event gets from one node to another; `loses` is taken.
    func loseEvents() {
        loses = { letter in
            if case .events = letter.message { return true }
            return false
        }
    }

    // MARK: - What came

    func frames(of socket: Socket) -> [String] { nodes[socket.node].frames[socket.number] ?? [] }

    /// The frames of one event, without the point at their end.
    func events(_ name: String, at socket: Socket) -> [String] {
        frames(of: socket).filter { $0.hasPrefix("{\"event\":\"\(name)\"") }
    }

    /// The counts of item `n`, as the socket heard of them.
    func counts(at socket: Socket) -> [Int] {
        events("setItem", at: socket).compactMap { frame -> Int? in
            guard let start = frame.range(of: "\"value\":") else { return nil }
            return Int(frame[start].prefix { $0.isNumber })
        }
    }

    func connectionID(of socket: Socket) -> String {
        for frame in frames(of: socket).reversed() {
            guard frame.hasPrefix("{\"event\":\"connected\"") || frame.hasPrefix("{\"event\":\"resume:ack\""),
                let start = frame.range(of: "\"connectionId\":\"")
            else { continue }
            return String(frame[start].prefix(36))
        }
        return ""
    }

    /// The point of the last event that the socket heard.
    func lastPoint(at socket: Socket) -> EventPoint? {
        for frame in frames(of: socket).reversed() {
            guard let start = frame.range(of: "\"at\":{\"epoch\":") else { continue }
            let numbers = frame[start].split { !$0.isNumber }.compactMap { UInt64($0) }
            return EventPoint(epoch: numbers[0], index: numbers[1], ordinal: UInt32(numbers.dropFirst(2).first ?? 0))
        }
        return nil
    }

    func presenceList(at number: Int) -> String? { run(.presenceList, at: number)?.text }
}

extension String {
    /// The end of the first occurrence; without Foundation.
    func range(of text: String) -> PartialRangeFrom<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return index(start, offsetBy: text.count)... }
            start = index(after: start)
        }
        return nil
    }

    subscript(range: PartialRangeFrom<String.Index>?) -> Substring {
        guard let range else { return "" }
        return self[range]
    }
}

extension SocketPayload {
    init(_ json: String) { self.init(json: Array(json.utf8)) }
}
