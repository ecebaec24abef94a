import Binary

/// Results as they pass from a process that runs worlds to the one that asked for them. Both are the same program, so
/// the form may change with any version. The recipe is not part of it: who asked knows it.
extension SimulationResult {
    public func encode() -> [UInt8] {
        var writer = ByteWriter()
        writer.writeOptional(failure) { writer, failure in
            writer.writeString(failure.kind.rawValue)
            writer.writeString(failure.message)
            writer.write(failure.atNs)
        }
        for number in [trace.value, virtualNs, operations, formedNs] { writer.write(number) }
        for count in WorldStatistics.counts { writer.write(statistics[keyPath: count]) }
        for count in StorageStatistics.counts { writer.write(statistics.storage[keyPath: count]) }
        writer.writeArray(statistics.refusals) { writer, refusal in writer.writeString(refusal) }
        return writer.bytes
    }

    public init(recipe: Recipe, from bytes: [UInt8]) throws(DecodingFailure) {
        self.recipe = recipe
        var reader = ByteReader(bytes)
        failure = try reader.readOptional { (reader) throws(DecodingFailure) in try Failure(from: &reader) }
        trace = TraceHash(value: try reader.readUInt64())
        virtualNs = try reader.readUInt64()
        operations = try reader.readUInt64()
        formedNs = try reader.readUInt64()
        for count in WorldStatistics.counts { statistics[keyPath: count] = try reader.readUInt64() }
        for count in StorageStatistics.counts { statistics.storage[keyPath: count] = try reader.readUInt64() }
        statistics.refusals = try reader.readArray { (reader) throws(DecodingFailure) in try reader.readString() }
        try reader.finish()
    }
}

extension Failure {
    fileprivate init(from reader: inout ByteReader) throws(DecodingFailure) {
        guard let kind = Kind(rawValue: try reader.readString()) else { throw DecodingFailure("no kind of failure") }
        self.init(kind: kind, message: try reader.readString(), atNs: try reader.readUInt64())
    }
}
