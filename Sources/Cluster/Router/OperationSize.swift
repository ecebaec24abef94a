import ObjectRuntime

extension Operation {
    /// What holding the operation costs in memory, about.
    var byteCount: Int {
        let overhead = 256
        switch self {
        case .setItem(let write): return overhead + write.value.count
        case .setItems(let writes): return overhead + writes.reduce(0) { $0 + $1.value.count + 64 }
        case .getItems(let names), .removeItems(let names): return overhead + names.reduce(0) { $0 + $1.count }
        case .push(_, let value, _), .merge(_, let value, _), .setIn(_, _, let value, _):
            return overhead + value.count
        case .splice(_, let splice, _): return overhead + splice.items.reduce(0) { $0 + $1.count }
        case .message(let payload, _), .session(.join(_, _, let payload)): return overhead + payload.json.count
        case .restore(let part): return overhead + part.byteCount
        default: return overhead
        }
    }

    /// Of what sockets ask: as large as their clients make it.
    var carriesData: Bool {
        switch self {
        case .message, .session(.join): true
        default: false
        }
    }

    /// Only new encryption settings need random bits.
    var drawsRandomBits: Bool {
        switch self {
        case .encryptionSettings, .rotateEncryption: true
        default: false
        }
    }
}
