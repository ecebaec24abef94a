/// The operations on one item, made ready for the search: answers turned into steps of the model,
/// refusals dropped, lists reduced to positions.
struct ItemHistory {
    struct Operation {
        var step: ModelStep
        var invokedNs: UInt64
        /// `nil`: open, may take effect at any later time, or never.
        var returnedNs: UInt64?
        /// Its place among the recorded operations, for messages.
        var source: Int
    }

    /// Every operation here has an answer and took effect (or observed), in order of its call.
    private(set) var answered: [Operation] = []
    /// Open operations by effect, each list in order of the calls. Within a list only the earliest
    /// that has not taken effect need be tried: none of them ever returns, so they are alike.
    private(set) var open: [[Operation]] = []
    /// Values written by exactly one operation: who reads one must do so before it is overwritten.
    private(set) var writtenOnce: Set<UInt64> = []

    /// The versions of the answered writes, rising; empty where removals let them fall.
    private(set) var versions: [UInt64] = []

    /// Values that an answer shows, or that a compare-and-swap asks for.
    private var seenValues: Set<UInt64> = []
    private var positions: [UInt64: Int] = [:]
    private var longestList: [UInt64] = []

    /// A plain contradiction throws; it needs no search.
    init(_ operations: [RecordedOperation], sources: [Int]) throws(Contradiction) {
        try collectObservations(operations)
        try refuseEffectsOfRefused(operations)
        countWriters(operations)
        var openByStep: [ModelStep: Int] = [:]
        for (operation, source) in zip(operations, sources) {
            guard let step = step(for: operation) else { continue }
            let prepared = Operation(
                step: step, invokedNs: operation.invokedNs, returnedNs: operation.returnedNs, source: source)
            if operation.returnedNs != nil {
                answered.append(prepared)
            } else if let place = openByStep[step] {
                open[place].append(prepared)
            } else {
                openByStep[step] = open.count
                open.append([prepared])
            }
        }
        answered.sort { ($0.invokedNs, $0.source) < ($1.invokedNs, $1.source) }
        for place in open.indices {
            open[place].sort { ($0.invokedNs, $0.source) < ($1.invokedNs, $1.source) }
        }
        if !operations.contains(where: { $0.call == .remove }) {
            versions = answered.compactMap(\.step.writtenVersion).sorted()
        }
    }

    struct Contradiction: Error {
        var message: String
    }
}

extension ItemHistory {
    private mutating func collectObservations(_ operations: [RecordedOperation]) throws(Contradiction) {
        var pushed: Set<UInt64> = []
        for operation in operations {
            if case .push(let element) = operation.call { pushed.insert(element) }
            if case .compareAndSwap(let expected?, _) = operation.call { seenValues.insert(expected) }
            guard case .answered(let observation, _) = operation.outcome else { continue }
            switch observation {
            case .value(let value): seenValues.insert(value)
            case .list(let list) where list.count > longestList.count: longestList = list
            case .list, .absent, .number, .nothing: break
            }
        }
        for (position, element) in longestList.enumerated() {
            guard pushed.contains(element) else {
                throw Contradiction(message: "a list shows \(element), which nobody pushed")
            }
            guard positions.updateValue(position, forKey: element) == nil else {
                throw Contradiction(message: "a list shows \(element) twice")
            }
        }
        for operation in operations {
            guard case .answered(.list(let list), _) = operation.outcome else { continue }
            guard longestList.starts(with: list) else {
                throw Contradiction(
                    message: "two answers show the list in different orders: \(list) and \(longestList)")
            }
            if case .push(let element) = operation.call, list.last != element {
                throw Contradiction(message: "the answer to a push of \(element) ends otherwise: \(list)")
            }
        }
    }

    private func refuseEffectsOfRefused(_ operations: [RecordedOperation]) throws(Contradiction) {
        for operation in operations where operation.outcome == .refused {
            if case .push(let element) = operation.call, positions[element] != nil {
                throw Contradiction(message: "the push of \(element) was refused and took effect")
            }
        }
    }

    private mutating func countWriters(_ operations: [RecordedOperation]) {
        var writtenTwice: Set<UInt64> = []
        for operation in operations where operation.outcome != .refused && operation.outcome != .conflict {
            switch operation.call {
            case .set(let value), .compareAndSet(_, let value), .compareAndSwap(_, let value):
                if !writtenOnce.insert(value).inserted { writtenTwice.insert(value) }
            case .read, .increment, .push, .remove: break
            }
        }
        writtenOnce.subtract(writtenTwice)
    }

    /// `nil` for what neither has an effect nor shows anything.
    private func step(for operation: RecordedOperation) -> ModelStep? {
        switch operation.outcome {
        case .answered(let observation, let version):
            return answeredStep(operation.call, observation, version)
        case .conflict:
            return conflictStep(operation.call)
        case .refused:
            return nil
        case .unknown:
            return openStep(operation.call)
        }
    }

    private func answeredStep(_ call: Call, _ observation: Observation, _ version: UInt64) -> ModelStep? {
        switch call {
        case .read: return .read(content(of: observation), version: version)
        case .set(let value): return .set(value, version: version)
        case .compareAndSet(let expected, let value):
            return .compareAndSet(expectedVersion: expected, value: value, version: version)
        case .compareAndSwap(let expected, let value):
            return .compareAndSwap(expected: swapContent(expected), value: value, version: version)
        case .increment(let delta):
            var result: Int64?
            if case .number(let number) = observation { result = number }
            return .increment(by: delta, result: result, version: version)
        case .push(let element):
            guard let position = positions[element] else {
                return .pushBeyond(seen: longestList.count, version: version)
            }
            return .push(position: position, version: version)
        case .remove: return .remove
        }
    }

    private func conflictStep(_ call: Call) -> ModelStep? {
        switch call {
        case .compareAndSet(let expected, _): return .versionDiffers(expected)
        case .compareAndSwap(let expected, _): return .contentDiffers(swapContent(expected))
        case .read, .set, .increment, .push, .remove: return nil
        }
    }

    private func openStep(_ call: Call) -> ModelStep? {
        switch call {
        case .read: return nil
        case .set(let value): return .set(seenOrAny(value), version: 0)
        case .compareAndSet(let expected, let value):
            return .compareAndSet(expectedVersion: expected, value: seenOrAny(value), version: 0)
        case .compareAndSwap(let expected, let value):
            return .compareAndSwap(expected: swapContent(expected), value: value, version: 0)
        case .increment(let delta): return .increment(by: delta, result: nil, version: 0)
        case .push(let element):
            // A push that no answer shows came after all of them, or never: nothing tells.
            return positions[element].map { .push(position: $0, version: 0) }
        case .remove: return .remove
        }
    }

    /// Values that no answer shows are all alike, so that their open writes are tried as one kind.
    private func seenOrAny(_ value: UInt64) -> UInt64 {
        seenValues.contains(value) ? value : .max
    }

    private func swapContent(_ expected: UInt64?) -> ItemState.Content {
        expected.map { .value($0) } ?? .absent
    }

    private func content(of observation: Observation) -> ItemState.Content? {
        switch observation {
        case .absent: return .absent
        case .number(let number): return .number(number)
        case .value(let value): return .value(value)
        case .list(let list): return .list(list.count)
        case .nothing: return nil
        }
    }
}
