import ObjectRuntime

/// A text frame as a client reads it: only what the checks want to know, found without the server's code.
enum ReceivedFrame {
    case connected(String)
    case resumed(String)
    case pong
    case error
    case message(from: UInt64, number: UInt64)
    case gap(from: EventPoint, to: EventPoint)
    /// Anything with a point.
    case event(EventPoint)
    /// Nothing that the protocol knows.
    case malformed

    init(_ frame: [UInt8]) {
        self = ReceivedFrame.read(frame) ?? .malformed
    }

    private static func read(_ frame: [UInt8]) -> ReceivedFrame? {
        let text = FrameText(bytes: frame)
        guard let name = text.string(after: "{\"event\":\"", from: 0) else { return nil }
        switch name {
        case "connected": return text.string(after: "\"connectionId\":\"", from: 0).map { .connected($0) }
        case "resume:ack": return text.string(after: "\"connectionId\":\"", from: 0).map { .resumed($0) }
        case "pong": return .pong
        case "error": return .error
        case "message":
            guard let from = text.number(after: "\"from\":"), let number = text.number(after: "\"n\":") else {
                return nil
            }
            return .message(from: from, number: number)
        case "gap":
            guard let from = text.point(after: "\"from\":"), let to = text.point(after: "\"to\":") else { return nil }
            return .gap(from: from, to: to)
        case "setItem", "removeItem", "presence:join", "presence:leave":
            return text.point(after: "\"at\":").map { .event($0) }
        default: return nil
        }
    }
}

/// Looks for members in JSON text whose form is known.
struct FrameText {
    let bytes: [UInt8]

    /// Behind the last place where the marker stands: points stand at the end, behind what clients sent.
    private func end(of marker: StaticString, backwards: Bool, from start: Int) -> Int? {
        let wanted = UnsafeBufferPointer(start: marker.utf8Start, count: marker.utf8CodeUnitCount)
        guard bytes.count >= start + wanted.count else { return nil }
        var place = backwards ? bytes.count - wanted.count : start
        while place >= start, place + wanted.count <= bytes.count {
            if bytes[place] == wanted[0], bytes[place..<place + wanted.count].elementsEqual(wanted) {
                return place + wanted.count
            }
            place += backwards ? -1 : 1
        }
        return nil
    }

    func string(after marker: StaticString, from start: Int) -> String? {
        guard let begin = end(of: marker, backwards: false, from: start),
            let close = bytes[begin...].firstIndex(of: UInt8(ascii: "\""))
        else { return nil }
        return String(decoding: bytes[begin..<close], as: UTF8.self)
    }

    func number(after marker: StaticString) -> UInt64? {
        end(of: marker, backwards: false, from: 0).flatMap { number(at: $0)?.value }
    }

    private func number(at start: Int) -> (value: UInt64, end: Int)? {
        var place = start
        var value: UInt64 = 0
        while place < bytes.count, (48...57).contains(bytes[place]) {
            value = value &* 10 &+ UInt64(bytes[place] - 48)
            place += 1
        }
        return place == start ? nil : (value, place)
    }

    func point(after marker: StaticString) -> EventPoint? {
        guard let begin = end(of: marker, backwards: true, from: 0) else { return nil }
        let rest = FrameText(bytes: Array(bytes[begin...].prefix { $0 != UInt8(ascii: "}") }))
        guard let epoch = rest.number(after: "\"epoch\":"), let index = rest.number(after: "\"index\":") else {
            return nil
        }
        let ordinal = rest.number(after: "\"n\":").flatMap(UInt32.init(exactly:)) ?? 0
        return EventPoint(epoch: epoch, index: index, ordinal: ordinal)
    }

    /// Whether the text stands behind the marker, and a member or an object ends there.
    func holds(_ text: [UInt8], after marker: StaticString) -> Bool {
        guard let begin = end(of: marker, backwards: false, from: 0), bytes.count > begin + text.count,
            bytes[begin..<begin + text.count].elementsEqual(text)
        else { return false }
        return bytes[begin + text.count] == UInt8(ascii: ",") || bytes[begin + text.count] == UInt8(ascii: "}")
    }

    /// The members of a list of presences: who, and with what.
    func presences() -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        var start = 0
        while let begin = end(of: "\"connectionId\":\"", backwards: false, from: start),
            let data = end(of: "\"data\":", backwards: false, from: begin)
        {
            let id = String(decoding: bytes[begin...].prefix(36), as: UTF8.self)
            found[id] = Array(bytes[data...].prefix { $0 != UInt8(ascii: "}") }) + [UInt8(ascii: "}")]
            start = data
        }
        return found
    }
}
