import CHoldfast

extension SnapshotReader {
    /// Reads every object: count and digest must be those of the manifest, each object in the range and in order.
    /// Blocks. For backups, after `verify`.
    public static func checkObjects(_ bytes: any SnapshotBytes) throws(StoreError) {
        var reader = try SnapshotReader(bytes)
        let manifest = reader.manifest
        var tally = StoreTally.none
        var last: StoreKey?
        while let objects = try reader.next() {
            for object in objects {
                guard manifest.range.contains(object.key.object), last.map({ $0 < object.key }) ?? true else {
                    throw .damaged("an object is out of place", place: bytes.name, shard: manifest.shard)
                }
                last = object.key
                tally.add(hash: RecordFormat.hash(object.key, value: RecordFormat.encode(object)))
            }
        }
        guard tally == manifest.tally else {
            throw .damaged("its objects are not those of its manifest", place: bytes.name, shard: manifest.shard)
        }
    }
}

/// The hash of some bytes as manifests of backups have it: XXH64.
public func contentHash(_ bytes: some Collection<UInt8>) -> UInt64 {
    let copy = [UInt8](bytes)
    return copy.withUnsafeBytes { holdfast_hash64(0, $0.baseAddress, $0.count) }
}
