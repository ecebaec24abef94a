import HoldfastClient
import Simulation

/// What the clients were told of their writes to the object that subscribers listen to.
struct RoomLog: Sendable {
    private(set) var acknowledged: [SeenWrite] = []
    private(set) var unknown: Set<Int> = []

    mutating func note(_ call: Call, _ response: HTTPResponse) -> Bool {
        guard let value = Self.value(call) else { return true }
        guard let epoch = response.header("Holdfast-Epoch").flatMap(UInt64.init),
            let index = response.header("Holdfast-Index").flatMap(UInt64.init)
        else { return false }
        acknowledged.append(SeenWrite(position: EventPosition(epoch: epoch, index: index), value: value))
        return true
    }

    mutating func noteUnknown(_ call: Call) {
        if let value = Self.value(call) { unknown.insert(value) }
    }

    private static func value(_ call: Call) -> Int? {
        switch call {
        case .set(let value), .compareAndSet(_, let value): Int(value)
        default: nil
        }
    }
}
