/// Where the bytes of a cold object lie; only its store knows what the number means.
public struct ColdSlot: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// Why bytes could not be stored, or not be read back.
public struct ColdFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// Takes the bytes of idle objects out of memory and gives them back. No durability is asked of it: after a
/// restart it is empty, and all objects come from the log.
///
/// Synchronous on purpose: one read from the page cache is shorter than a detour, and a core that waits for
/// nothing stays one sequence of turns. Belongs to one event loop.
public protocol ColdObjects: AnyObject, Sendable {
    /// A failure is no harm: the object stays in memory.
    func store(_ bytes: [UInt8]) throws(ColdFailure) -> ColdSlot
    /// Exactly the bytes that were stored, or a failure.
    func load(_ slot: ColdSlot) throws(ColdFailure) -> [UInt8]
    func release(_ slot: ColdSlot)
}

/// The twin in memory, for the simulator and for tests. Slots are numbered and never used again, so that a
/// read of a released one is noticed at once.
public final class MemoryColdObjects: ColdObjects, @unchecked Sendable {
    private var held: [UInt64: [UInt8]] = [:]
    private var lastNumber: UInt64 = 0
    /// While true nothing more is taken.
    public var isFull = false

    public init() {}

    /// Slots in use.
    public var count: Int { held.count }

    public func store(_ bytes: [UInt8]) throws(ColdFailure) -> ColdSlot {
        if isFull { throw ColdFailure("no space is left") }
        lastNumber += 1
        held[lastNumber] = bytes
        return ColdSlot(rawValue: lastNumber)
    }

    public func load(_ slot: ColdSlot) throws(ColdFailure) -> [UInt8] {
        guard let bytes = held[slot.rawValue] else {
            throw ColdFailure("slot \(slot.rawValue) holds nothing")
        }
        return bytes
    }

    public func release(_ slot: ColdSlot) {
        let bytes = held.removeValue(forKey: slot.rawValue)
        precondition(bytes != nil, "a slot is released once")
    }

    /// Changes one byte of a slot, as a failing disk would.
    public func damage(_ slot: ColdSlot, at offset: Int) {
        held[slot.rawValue]?[offset] ^= 1
    }
}
