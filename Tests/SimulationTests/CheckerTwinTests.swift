import Testing

@testable import Simulation

/// The slow and obvious checker: tries every order that real time allows.
private struct ExhaustiveChecker {
    let operations: [ItemHistory.Operation]
    let versionsRise: Bool

    init(_ history: ItemHistory) {
        operations = history.answered + history.open.flatMap { $0 }
        versionsRise = !history.versions.isEmpty
    }

    func isLinearizable(_ taken: Set<Int> = [], _ state: ItemState = ItemState(), told: UInt64 = 0) -> Bool {
        let rest = operations.indices.filter { !taken.contains($0) }
        if rest.allSatisfy({ operations[$0].returnedNs == nil }) { return true }
        let firstReturn = rest.compactMap { operations[$0].returnedNs }.min() ?? .max
        return rest.contains { candidate in
            guard operations[candidate].invokedNs <= firstReturn else { return false }
            guard let after = operations[candidate].step.applied(to: state) else { return false }
            let version = operations[candidate].step.writtenVersion ?? told
            if versionsRise, version < told { return false }
            return isLinearizable(taken.union([candidate]), after, told: version)
        }
    }
}

/// Runs random operations on the model at a random moment between call and answer, then spoils some answers.
private struct RandomHistory {
    enum Kind: CaseIterable { case register, swap, counter, list }

    static func make(_ random: inout SeededGenerator, kind: Kind, operations count: Int, spoil: Bool)
        -> [RecordedOperation]
    {
        var operations: [RecordedOperation] = []
        var moments: [(atNs: UInt64, operation: Int)] = []
        for number in 0..<count {
            let invoked = random.below(UInt64(60))
            let moment = invoked + random.below(UInt64(20))
            let returned = moment + random.below(UInt64(20))
            let answered = !random.chance(0.25)
            operations.append(
                RecordedOperation(
                    process: number, object: "o", item: "x", call: call(kind, number, &random),
                    invokedNs: invoked, returnedNs: answered ? returned : nil))
            moments.append((moment, number))
        }
        moments.sort { ($0.atNs, $0.operation) < ($1.atNs, $1.operation) }
        perform(moments.map(\.operation), &operations, &random)
        if spoil { Self.spoil(&operations, &random) }
        return operations
    }

    private static func call(_ kind: Kind, _ number: Int, _ random: inout SeededGenerator) -> Call {
        let value = UInt64(100 + number)
        switch kind {
        case .register:
            switch random.below(5) {
            case 0, 1: return .read
            case 2: return .set(value)
            case 3: return .compareAndSet(expectedVersion: 1 + random.below(UInt64(4)), value: value)
            default: return random.chance(0.3) ? .remove : .set(value)
            }
        case .swap:
            let old = random.chance(0.4) ? nil : UInt64(100 + random.below(number + 1))
            return random.chance(0.3) ? .read : .compareAndSwap(expected: old, value: value)
        case .counter: return random.chance(0.3) ? .read : .increment(by: 1 + Int64(random.below(2)))
        case .list: return random.chance(0.3) ? .read : .push(value)
        }
    }

    private static func perform(
        _ order: [Int], _ operations: inout [RecordedOperation], _ random: inout SeededGenerator
    ) {
        var content = Observation.absent
        var version: UInt64 = 0
        for position in order {
            let isAnswered = operations[position].returnedNs != nil
            if !isAnswered, random.chance(0.5) { continue }
            let outcome = effect(of: operations[position].call, &content, &version)
            if isAnswered { operations[position].outcome = outcome }
        }
    }

    private static func effect(of call: Call, _ content: inout Observation, _ version: inout UInt64)
        -> Outcome
    {
        switch call {
        case .read: return .answered(content, version: content == .absent ? 0 : version)
        case .remove:
            content = .absent
            return .answered(.nothing, version: 0)
        case .compareAndSet(let expected, let value):
            guard content != .absent, version == expected else { return .conflict }
            content = .value(value)
        case .compareAndSwap(let expected, let value):
            guard content == (expected.map { .value($0) } ?? .absent) else { return .conflict }
            content = .value(value)
        case .set(let value): content = .value(value)
        case .increment(let delta):
            if case .number(let number) = content {
                content = .number(number + delta)
            } else {
                content = .number(delta)
            }
        case .push(let element):
            if case .list(let list) = content {
                content = .list(list + [element])
            } else {
                content = .list([element])
            }
        }
        version += 1
        return .answered(content, version: version)
    }

    private static func spoil(_ operations: inout [RecordedOperation], _ random: inout SeededGenerator) {
        let position = random.below(operations.count)
        guard operations[position].returnedNs != nil else { return }
        switch operations[position].outcome {
        case .answered(.number(let number), let version):
            operations[position].outcome = .answered(.number(number + 1), version: version)
        case .answered(_, let version):
            let other = random.pick(operations)
            if case .answered(let observation, _) = other.outcome {
                operations[position].outcome = .answered(observation, version: version)
            } else {
                operations[position].outcome = .conflict
            }
        default: operations[position].outcome = .answered(.absent, version: 0)
        }
    }
}

@Suite struct `The checker and its slow twin` {
    @Test func `agree on small random histories`() throws {
        var random = SeededGenerator(seed: 2024)
        var wrong = 0
        var right = 0
        for round in 0..<3_000 {
            let kind = RandomHistory.Kind.allCases[round % RandomHistory.Kind.allCases.count]
            let operations = RandomHistory.make(&random, kind: kind, operations: 7, spoil: round % 3 != 0)
            let prepared: ItemHistory
            do {
                prepared = try ItemHistory(operations, sources: Array(operations.indices))
            } catch {
                #expect(round % 3 != 0, "a true history was called contradictory: \(error.message)")
                continue
            }
            let expected = ExhaustiveChecker(prepared).isLinearizable()
            let found = LinearizabilityChecker().check(operations).violations.isEmpty
            #expect(found == expected, "round \(round): \(operations.map(\.summary))")
            if round % 3 == 0 { #expect(expected, "round \(round): a true history was refused") }
            if expected { right += 1 } else { wrong += 1 }
        }
        #expect(right > 500 && wrong > 250, "right \(right), wrong \(wrong)")
    }

    @Test func `the checker copes with 5,000 operations of 64 clients, some without answer`() {
        for kind in [RandomWork.counter, .register] {
            var operations = RandomWork.run(kind, operations: 5_000, clients: 64)
            #expect(LinearizabilityChecker().check(operations).isClean)
            // The last answer is swapped for a much older one.
            let old = operations[operations.count - 901].outcome
            guard let last = operations.lastIndex(where: { $0.returnedNs != nil }) else { continue }
            operations[last].outcome = old
            #expect(LinearizabilityChecker().check(operations).violations.count == 1)
        }
    }
}

/// Many overlapping operations of clients that work one after the other.
private enum RandomWork {
    case counter, register

    static func run(_ kind: RandomWork, operations count: Int, clients: Int) -> [RecordedOperation] {
        var random = SeededGenerator(seed: 7)
        var freeAt = [UInt64](repeating: 0, count: clients)
        var pending: [(atNs: UInt64, operation: Int)] = []
        var operations: [RecordedOperation] = []
        for number in 0..<count {
            let client = random.below(clients)
            let invoked = freeAt[client] + random.below(UInt64(50))
            let moment = invoked + 1 + random.below(UInt64(500))
            let returned = moment + 1 + random.below(UInt64(500))
            freeAt[client] = returned
            let isOpen = number % 1_000 == 998
            let call: Call
            switch kind {
            case .counter: call = number % 4 == 0 ? .read : .increment(by: 1)
            case .register: call = number % 4 == 0 ? .read : .set(UInt64(number))
            }
            operations.append(
                RecordedOperation(
                    process: client, object: "o", item: "x", call: call, invokedNs: invoked,
                    returnedNs: isOpen ? nil : returned))
            pending.append((moment, number))
        }
        pending.sort { ($0.atNs, $0.operation) < ($1.atNs, $1.operation) }
        answer(&operations, inOrder: pending.map(\.operation))
        return operations
    }

    /// Counters tell their order by their numbers, registers by their versions.
    private static func answer(_ operations: inout [RecordedOperation], inOrder order: [Int]) {
        var counted: Int64 = 0
        var content = Observation.absent
        var version: UInt64 = 0
        for (moment, position) in order.enumerated() {
            switch operations[position].call {
            case .increment:
                counted += 1
                content = .number(counted)
            case .set(let value):
                content = .value(value)
                version = UInt64(moment) + 1
            default: break
            }
            guard operations[position].returnedNs != nil else { continue }
            operations[position].outcome = .answered(content, version: version)
        }
    }
}
