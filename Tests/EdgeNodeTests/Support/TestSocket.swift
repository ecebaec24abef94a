import Cluster
import NIOCore
import NIOEmbedded
import ObjectRuntime
import Testing

@testable import EdgeNode

/// A frame as a client makes them, with every way to make it wrong.
struct ClientBytes {
    var isFinal = true
    var reserved: UInt8 = 0
    var opcode: UInt8 = 1
    var isMasked = true
    var payload: [UInt8] = []
    var mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
    /// Written instead of the payload's length.
    var claimedLength: UInt64?
    /// 1, 3 or 9 bytes; the shortest form if `nil`.
    var lengthBytes: Int?

    static func text(_ text: String, isFinal: Bool = true) -> [UInt8] {
        ClientBytes(isFinal: isFinal, payload: Array(text.utf8)).bytes
    }

    static func close(_ code: UInt16?, _ reason: [UInt8] = []) -> [UInt8] {
        let code = code.map { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] } ?? []
        return ClientBytes(opcode: 8, payload: code + reason).bytes
    }

    var bytes: [UInt8] {
        let length = claimedLength ?? UInt64(payload.count)
        let form = lengthBytes ?? (length < 126 ? 1 : length < 1 << 16 ? 3 : 9)
        let flag: UInt8 = isMasked ? 0x80 : 0
        var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        switch form {
        case 1: bytes.append(flag | UInt8(length))
        case 3: bytes += [flag | 126, UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)]
        default:
            bytes.append(flag | 127)
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: length >> UInt64(shift)))
            }
        }
        guard isMasked else { return bytes + payload }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }
}

/// A frame of the server.
enum ServerFrame: Equatable {
    case text(String)
    case pong([UInt8])
    case close(code: UInt16?, reason: String)

    /// Takes one off the front; strict about its form.
    static func take(_ bytes: inout [UInt8]) throws -> ServerFrame {
        let first = try #require(bytes.first)
        try #require(bytes.count >= 2 && bytes[1] & 0x80 == 0 && first & 0x70 == 0 && first & 0x80 != 0)
        var head = 2
        var length = Int(bytes[1])
        if length == 126 {
            length = Int(bytes[2]) << 8 | Int(bytes[3])
            head = 4
            #expect(length >= 126)
        } else if length == 127 {
            length = bytes[2..<10].reduce(0) { $0 << 8 | Int($1) }
            head = 10
            #expect(length >= 1 << 16)
        }
        try #require(bytes.count >= head + length)
        let payload = Array(bytes[head..<head + length])
        bytes.removeFirst(head + length)
        switch first & 0x0F {
        case 1: return .text(try #require(String(validating: payload, as: UTF8.self)))
        case 10: return .pong(payload)
        case 8:
            guard payload.count >= 2 else { return .close(code: nil, reason: "") }
            let reason = try #require(String(validating: payload[2...], as: UTF8.self))
            #expect(payload.count <= 125)
            return .close(code: UInt16(payload[0]) << 8 | UInt16(payload[1]), reason: reason)
        default:
            Issue.record("the server sent opcode \(first & 0x0F)")
            return .text("")
        }
    }
}

/// A client whose connection has become a socket.
final class TestSocket {
    let edge: TestEdge
    let client: TestClient

    static let path = "/project/demo/ws/room/r1"

    static let handshake = [
        ("Upgrade", "websocket"), ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
    ]

    init(_ edge: TestEdge, path: String = TestSocket.path, headers: [(String, String)] = []) throws {
        self.edge = edge
        client = try edge.connect()
        let answer = try client.call("GET", path, headers: TestSocket.handshake + headers)
        #expect(answer.status == 101)
        edge.loop.run()
    }

    var channel: EmbeddedChannel { client.channel }
    var isOpen: Bool { client.isOpen }

    func send(_ bytes: [UInt8]) throws { try client.send(bytes) }

    func send(_ text: String) throws { try send(ClientBytes.text(text)) }

    /// All frames that have been flushed.
    func frames() throws -> [ServerFrame] {
        var bytes: [UInt8] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) { bytes += Array(part.readableBytesView) }
        var frames: [ServerFrame] = []
        while !bytes.isEmpty { frames.append(try ServerFrame.take(&bytes)) }
        return frames
    }
}

extension TestEdge {
    /// What was told of sockets since the last call, in short.
    func told() -> [String] {
        gateway.takeTold().map { input in
            switch input {
            case .opened(let opening):
                "opened \(opening.socket.number) \(opening.project)/\(opening.objectClass)/\(opening.objectID)"
            case .frame(let socket, let frame): "frame \(socket.number) \(ToldFrame(frame).text)"
            case .closed(let socket, let end): "\(end) \(socket.number)"
            }
        }
    }

    func deliver(_ text: String, to numbers: [UInt64], except: UInt64? = nil) {
        edge.sockets.carryOut([
            .deliver(frame: Array(text.utf8), loop: 2, numbers: numbers, except: except)
        ])
    }

    func close(_ number: UInt64, _ code: UInt16, _ reason: String) {
        edge.sockets.carryOut([
            .close(SocketID(loop: 2, number: number), SocketClosing(code: code, reason: reason))
        ])
    }
}

private struct ToldFrame {
    let text: String

    init(_ frame: SocketFrame) {
        switch frame {
        case .ping: text = "ping"
        case .resume(let id, let after): text = "resume \(id) \(after.map { "\($0.index)" } ?? "-")"
        case .message(let payload): text = "message " + String(decoding: payload.json, as: UTF8.self)
        case .join(let payload): text = "join " + String(decoding: payload.json, as: UTF8.self)
        case .leave: text = "leave"
        }
    }
}
