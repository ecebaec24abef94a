import Binary
import Cluster
import ObjectRuntime
import Placement
import Raft
import StoreBinding

@testable import Storage

// What nodes send each other and keep: entries, states, records, files.

private func checkRoundTrip<Value: BinaryCoded>(_ type: Value.Type, _ bytes: [UInt8]) {
    guard let value = try? Value.decode(bytes) else { return }
    let written = value.encode()
    guard let again = try? Value.decode(written) else { preconditionFailure("what was written is not read: \(type)") }
    precondition(again.encode() == written, "a value changes when it is read and written: \(type)")
}

func fuzzPlacement(_ bytes: [UInt8]) {
    var rest = bytes[...]
    switch choice(&rest) % 4 {
    case 0: checkRoundTrip(Command.self, Array(rest))
    case 1: checkRoundTrip(ProposalEnvelope.self, Array(rest))
    case 2: checkRoundTrip(PlacementState.self, Array(rest))
    default: checkRoundTrip(Genesis.self, Array(rest))
    }
}

/// Whatever an entry says, a state that takes it is whole afterwards.
func fuzzShardEntries(_ bytes: [UInt8]) {
    var shard = FuzzedShard()
    shard.run(.setItem(ItemWrite(name: "a", value: Array("1".utf8))))
    shard.apply(bytes)
    shard.check()
}

func fuzzShardSnapshots(_ bytes: [UInt8]) {
    if let state = try? ShardState(snapshot: bytes) {
        let written = state.encodeSnapshot()
        guard let again = try? ShardState(snapshot: written) else {
            preconditionFailure("what was written is not read")
        }
        precondition(again.encodeSnapshot() == written, "a state changes when it is read and written")
    }
    _ = try? ObjectRuntime.StoredObject(bytes)
    _ = try? StoredShardHead(payload: bytes)
}

/// One shard that executes, and a replica that applies what it wrote.
struct FuzzedShard {
    private var owner = ShardState()
    private var replica = ShardState()
    private var index: UInt64 = 0

    mutating func run(_ operation: Operation) {
        let request = Request(
            object: ObjectID(project: "p", objectClass: "c", id: "o", hashKey: SipHash(key0: 1, key1: 2)), operation: operation)
        let context = ExecutionContext(
            nowMs: 1, windowAgeMs: 1, epoch: 1, nextIndex: index + 1, random: (1, 2), isWatched: true)
        guard case .write(let payload, _) = owner.execute(request, context) else { return }
        index += 1
        owner.committed(through: index)
        do { try replica.apply(payload: payload, index: index, epoch: 1) } catch {
            preconditionFailure("a replica does not take what its owner wrote: \(error)")
        }
    }

    /// An entry of anybody.
    mutating func apply(_ payload: [UInt8]) {
        var changed = replica
        guard (try? changed.apply(payload: payload, index: index + 1, epoch: 1)) != nil else { return }
        index += 1
        (owner, replica) = (changed, changed)
    }

    func check() {
        precondition(owner.encodeSnapshot() == replica.encodeSnapshot(), "owner and replica differ")
    }
}

// MARK: - The journal

/// A segment whose checksums are made right first, or hardly anything behind them would ever be read.
func fuzzJournal(_ bytes: [UInt8]) {
    _ = bytes.withUnsafeBytes { try? SegmentHeader(reading: $0, fileBytes: bytes.count, file: "fuzzed") }
    _ = try? ArchiveHead(bytes, file: "fuzzed")
    let seed: UInt32 = 7
    var segment = bytes
    repair(&segment, seed)
    segment.withUnsafeBytes { all in
        var offset = 0
        while let (place, header) = BatchFormat.nextHeader(from: offset, in: all, segmentSeed: seed) {
            for record in BatchFormat.records(of: header, at: place, in: all, segmentSeed: seed) ?? [] {
                _ = LogRecord(record)
            }
            offset = place + BatchFormat.headerBytes
        }
    }
}

/// Gives the batch at the beginning, and the records in it, the magic number and checksums that they should have.
private func repair(_ bytes: inout [UInt8], _ seed: UInt32) {
    guard bytes.count >= BatchFormat.headerBytes else { return }
    func number(_ offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
    }
    func put(_ value: UInt32, _ offset: Int) {
        for place in 0..<4 { bytes[offset + place] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(place))) }
    }
    put(BatchFormat.magic, 0)
    put(Checksum.of(Array(bytes[8..<BatchFormat.headerBytes]), seed: seed), 4)
    let recordSeed = BatchFormat.recordSeed(segment: seed, number: number(8, 8), session: number(16, 8))
    var place = BatchFormat.headerBytes
    while place + BatchFormat.recordHeaderBytes <= bytes.count {
        let end = place + BatchFormat.recordHeaderBytes + Int(number(place + 4, 4))
        guard end <= bytes.count else { return }
        put(Checksum.of(Array(bytes[(place + 4)..<end]), seed: recordSeed), place)
        place = end
    }
}

// MARK: - Files of snapshots

func fuzzSnapshotFiles(_ bytes: [UInt8]) {
    _ = SnapshotManifest(decoding: bytes)
    _ = try? SnapshotFormat.records(bytes)
    for rawBytes in [bytes.count + 1, 4 * bytes.count, 255 * bytes.count]
    where SnapshotFormat.isPossible(rawBytes: rawBytes, storedBytes: bytes.count) {
        _ = SnapshotFormat.expand(bytes, rawBytes: rawBytes)
    }
}
