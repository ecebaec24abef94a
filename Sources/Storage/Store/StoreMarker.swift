import Binary

/// Something that was begun and goes on in slices. While its marker stands, nothing of the range is served, and
/// whoever opens the store finishes it.
struct StoreMarker: Equatable, Sendable {
    let shard: UInt32
    let range: StoredRange
    /// Nil if the range is only to be emptied.
    let plan: InstallPlan?
}

/// What is to stand in a range in the end.
struct InstallPlan: Equatable, Sendable {
    /// The file's name in the directory of snapshots.
    let name: String
    let byteCount: UInt64
    let hash: UInt64
    let head: StoredHead
}

extension RecordFormat {
    static func encode(_ marker: StoreMarker) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(marker.range.start)
        writer.write(marker.range.end)
        writer.writeOptional(marker.plan) { writer, plan in
            writer.writeString(plan.name)
            writer.write(plan.byteCount)
            writer.write(plan.hash)
            writer.writeBytes(encode(plan.head))
        }
        return seal(writer.bytes, .marker(marker.shard))
    }

    static func marker(_ key: RecordKey, _ value: [UInt8]) throws(StoreError) -> StoreMarker {
        var head: [UInt8] = []
        var marker: StoreMarker?
        var plan: (name: String, byteCount: UInt64, hash: UInt64)?
        var range = StoredRange.all
        try decode(key, value) { (reader) throws(DecodingFailure) in
            range = try readRange(&reader)
            guard try reader.readBool() else { return }
            plan = (try reader.readString(limit: 255), try reader.readUInt64(), try reader.readUInt64())
            head = try reader.readBytes()
        }
        if let plan {
            let head = try Self.head(.head(key.shard), head)
            marker = StoreMarker(
                shard: key.shard, range: range,
                plan: InstallPlan(name: plan.name, byteCount: plan.byteCount, hash: plan.hash, head: head))
        }
        return marker ?? StoreMarker(shard: key.shard, range: range, plan: nil)
    }
}
