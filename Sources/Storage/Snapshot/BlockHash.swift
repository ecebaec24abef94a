import CHoldfast

/// A 64-bit hash of any number of bytes, fed in pieces of any size: XXH64 of each block of 64 KiB, seeded with
/// the hash of the blocks before.
struct BlockHash: Sendable {
    private static let blockBytes = 64 << 10
    private var hash: UInt64 = 0
    private var block: [UInt8] = []

    mutating func add(_ bytes: some Collection<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ add(UnsafeRawBufferPointer($0)) }) == nil {
            [UInt8](bytes).withUnsafeBytes { add($0) }
        }
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.blockBytes - block.count)
            if part.count == Self.blockBytes {
                let whole = UnsafeRawBufferPointer(rebasing: part)
                hash = holdfast_hash64(hash, whole.baseAddress, whole.count)
            } else {
                block.append(contentsOf: part)
                if block.count == Self.blockBytes { close() }
            }
            rest = rest.dropFirst(part.count)
        }
    }

    private mutating func close() {
        hash = block.withUnsafeBytes { holdfast_hash64(hash, $0.baseAddress, $0.count) }
        block.removeAll(keepingCapacity: true)
    }

    /// The hash of everything that was added.
    var value: UInt64 {
        var last = self
        if !last.block.isEmpty { last.close() }
        return last.hash
    }
}
