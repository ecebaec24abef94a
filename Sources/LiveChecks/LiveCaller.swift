import HoldfastClient
import Simulation
import Synchronization

/// Makes calls with the client library and reads their answers as the checkers want them.
struct LiveCaller: Sendable {
    let client: HoldfastClient
    let objectClass: String

    /// What a run leaves behind, because it was killed or could not reach anybody, is gone after a day.
    private static let lifetimeMs = 86_400_000

    /// `process` is the client's number in the history.
    func perform(_ call: LiveCall, process: Int) async -> LiveRecord {
        let seen = LastAnswer()
        let invokedNs = steadyNs()
        var record = LiveRecord(
            RecordedOperation(
                process: process, object: call.object, item: call.item, call: call.call, invokedNs: invokedNs))
        do {
            let item = try await send(call, through: client.observing { seen.note($0) })
            record.operation.returnedNs = steadyNs()
            record.place = seen.place
            take(item, call, into: &record)
        } catch {
            take(error, call, into: &record)
        }
        return record
    }

    private func send(_ call: LiveCall, through client: HoldfastClient) async throws(HoldfastError) -> Item? {
        let object = ObjectName(call.object, class: objectClass)
        var options = WriteOptions(ttlMs: Self.lifetimeMs)
        switch call.call {
        case .read: return try await client.getItem(call.item, of: object)
        case .set(let value): return try await client.setItem(call.item, .integer(value), of: object, options)
        case .compareAndSet(let expected, let value):
            options.updatedAt = Int(expected)
            return try await client.setItem(call.item, .integer(value), of: object, options)
        case .increment(let delta): return try await client.increment(call.item, by: Double(delta), of: object, options)
        case .push(let element): return try await client.push(call.item, .integer(element), of: object, options)
        case .remove, .compareAndSwap: preconditionFailure("no plan makes such calls")
        }
    }

    private func take(_ item: Item?, _ call: LiveCall, into record: inout LiveRecord) {
        if record.place == nil { record.fault = "an answer without epoch and index" }
        guard let item else {
            record.operation.outcome = .answered(.absent, version: 0)
            if call.isWrite { record.fault = "a write that shows no item" }
            return
        }
        guard let shown = Self.observation(item.value, ItemKind(item: call.item)) else {
            record.operation.outcome = .answered(.nothing, version: 0)
            return record.fault = "an answer that cannot be: \(item.value)"
        }
        record.operation.outcome = .answered(shown, version: UInt64(clamping: item.updatedAt))
    }

    private func take(_ error: HoldfastError, _ call: LiveCall, into record: inout LiveRecord) {
        if case .compareAndSet = call.call, error.kind == .conflict {
            record.operation.outcome = .conflict
        } else {
            record.error = "\(error)"
            record.operation.outcome = call.isWrite && error.applied != .no ? .unknown : .refused
            if error.kind == .malformedAnswer { record.fault = "\(error)" }
        }
        record.operation.returnedNs = record.operation.outcome == .unknown ? nil : steadyNs()
    }

    static func observation(_ value: JSON, _ kind: ItemKind?) -> Observation? {
        switch kind {
        case .counter: value.int.map { .number(Int64($0)) }
        case .register: UInt64(json: value).map { .value($0) }
        case .list:
            value.elements.flatMap { elements in
                let numbers = elements.compactMap(UInt64.init(json:))
                return numbers.count == elements.count ? .list(numbers) : nil
            }
        case nil: nil
        }
    }
}

/// The place of the last answer to one call.
private final class LastAnswer: Sendable {
    private let known = Mutex<AnswerPlace?>(nil)

    func note(_ response: HTTPResponse) {
        let place = AnswerPlace(response)
        known.withLock { $0 = place }
    }

    var place: AnswerPlace? { known.withLock { $0 } }
}
