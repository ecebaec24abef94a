import Cluster
import ObjectRuntime

/// A client that does one operation after the other, at whatever node it is connected to.
struct VirtualClient {
    struct Current {
        var number: OperationNumber
        var step: Workload.Step
        var key: IdempotencyKey?
        var invokedNs: UInt64
        /// Names the try that is under way; answers to earlier ones come too late.
        var attempt: UInt64
        var tries = 0
        /// An earlier try may have taken effect, or still may.
        var mayBeApplied = false
    }

    let number: Int
    /// The machine it is connected to.
    var home: Int
    var current: Current?
    /// Goes on for ever: an operation ends with its answer, whatever that takes.
    var isPersistent = false
    /// What it still has to do; `nil` draws from the workload.
    var script: [Workload.Step]?
}

enum ClientEvent {
    case begin
    /// The request reaches the edge.
    case arrive(attempt: UInt64)
    case answer(attempt: UInt64, ClientAnswer)
    case lost(attempt: UInt64)
    case again(attempt: UInt64)
}

extension World {
    func handle(_ event: ClientEvent, client: Int) {
        switch event {
        case .begin: begin(client)
        case .arrive(let attempt): arrive(client, attempt)
        case .answer(let attempt, let answer): take(answer, client, attempt)
        case .lost(let attempt): lose(client, attempt)
        case .again(let attempt): if clients[client].current?.attempt == attempt { tryOnce(client) }
        }
    }

    private func begin(_ client: Int) {
        guard clients[client].current == nil, let step = nextStep(client) else { return }
        let name = workload.objects[step.object].name
        let number = history.begin(
            process: client, object: name, item: step.item, call: step.call, atNs: nowNs)
        var key: IdempotencyKey?
        let isWrite = step.call != .read
        if isWrite, clients[client].isPersistent || random.chance(plan.workload.keyedShare) {
            key = IdempotencyKey(
                apiKey: "key\(client % 3)", key: "operation\(number.rawValue)",
                requestHash: UInt64(number.rawValue))
        }
        clients[client].current = VirtualClient.Current(
            number: number, step: step, key: key, invokedNs: nowNs, attempt: 0)
        tryOnce(client)
    }

    private func nextStep(_ client: Int) -> Workload.Step? {
        guard clients[client].script != nil else { return isLoadOn ? workload.next() : nil }
        return clients[client].script?.isEmpty == false ? clients[client].script?.removeFirst() : nil
    }

    private func tryOnce(_ client: Int) {
        guard clients[client].current != nil else { return }
        let attempt = nextToken().rawValue
        clients[client].current?.attempt = attempt
        clients[client].current?.tries += 1
        schedule(
            .client(client, .arrive(attempt: attempt)), afterNs: 30_000 + random.exponential(meanNs: 60_000))
        schedule(.client(client, .lost(attempt: attempt)), afterNs: plan.workload.patienceNs)
    }

    private func arrive(_ client: Int, _ attempt: UInt64) {
        guard let current = clients[client].current, current.attempt == attempt else { return }
        guard let process = machines[clients[client].home].process else {
            // Nobody listens: the request was never sent.
            return tryElsewhere(client)
        }
        let token = nextToken()
        process.owed.append(
            RunningProcess.Owed(token: token, client: client, attempt: attempt, takenNs: nowNs))
        let request = workload.request(current.step, key: current.key)
        give(.request(token, request), to: process, loop: client % process.loops.count)
    }

    /// An answer leaves the edge.
    func pass(_ answered: AnsweredRequest, from process: RunningProcess) {
        if listAnswers[answered.token] != nil {
            if case .json(let list) = answered.answer.reply { listAnswers[answered.token] = list }
            return
        }
        if mortalRequests.remove(answered.token) != nil { return }
        guard let owed = process.settle(answered.token) else {
            return fail(
                .correctness, "\(process.identity.name) answered a request twice, or one that nobody sent")
        }
        trace.mix(answered.answer.epoch, answered.answer.index, UInt64(answered.answer.applied.rawValue))
        schedule(
            .client(owed.client, .answer(attempt: owed.attempt, answered.answer)),
            afterNs: 30_000 + random.exponential(meanNs: 60_000))
    }

    func connectionLost(_ owed: RunningProcess.Owed) {
        schedule(.client(owed.client, .lost(attempt: owed.attempt)), afterNs: 200_000)
    }

    /// No answer will come to this try.
    private func lose(_ client: Int, _ attempt: UInt64) {
        guard let current = clients[client].current, current.attempt == attempt else { return }
        clients[client].current?.mayBeApplied = true
        if current.step.call == .read || current.key != nil { return tryElsewhere(client) }
        clients[client].home = random.below(machines.count)
        complete(client, .unknown)
    }

    private func tryElsewhere(_ client: Int) {
        guard let current = clients[client].current else { return }
        let hasPatience = clients[client].isPersistent || (current.tries < 25 && isLoadOn)
        guard hasPatience else { return complete(client, current.mayBeApplied ? .unknown : .refused) }
        clients[client].home = random.below(machines.count)
        schedule(
            .client(client, .again(attempt: current.attempt)),
            afterNs: 1_000_000 + random.exponential(meanNs: 30_000_000))
    }

    private func take(_ answer: ClientAnswer, _ client: Int, _ attempt: UInt64) {
        guard let current = clients[client].current, current.attempt == attempt else { return }
        switch AnswerReading.meaning(of: answer, to: current.step) {
        case .settled(.conflict) where current.mayBeApplied:
            // The earlier try may be on its way still.
            complete(client, .unknown)
        case .settled(let outcome):
            checkOrder(answer, current, outcome)
            complete(client, outcome)
        case .notApplied:
            note("client \(client) is told that nothing was applied: \(answer)")
            statistics.edgeFailures += 1
            if current.mayBeApplied || clients[client].isPersistent { return tryElsewhere(client) }
            complete(client, .refused)
        case .mayBeApplied:
            note("client \(client) is told that it may be applied: \(answer)")
            clients[client].current?.mayBeApplied = true
            statistics.unknown += 1
            statistics.edgeFailures += 1
            if current.key != nil { return tryElsewhere(client) }
            complete(client, .unknown)
        case .malformed(let text):
            fail(.correctness, "an answer that the interface does not know: \(text)")
        }
    }

    private func checkOrder(_ answer: ClientAnswer, _ current: VirtualClient.Current, _ outcome: Outcome) {
        guard case .answered(_, let version) = outcome else { return }
        if answer.replayed { statistics.replayed += 1 }
        if version > 0, current.step.item == "register" {
            workload.learn(version: version, of: current.step.object)
        }
        let complaint = answerOrder.observe(
            object: current.step.object, invokedNs: current.invokedNs, returnedNs: nowNs,
            epoch: answer.epoch, index: answer.index, isWrite: current.step.call != .read,
            isReplay: answer.replayed)
        if let complaint {
            fail(
                .correctness,
                "an answer of object \(workload.objects[current.step.object].name) goes back: \(complaint); "
                    + "\(current.step.item) \(current.step.call) called at \(current.invokedNs / 1000) µs, index "
                    + "\(answer.index) epoch \(answer.epoch) by \(answer.owner), try \(current.tries)")
        }
    }

    private func complete(_ client: Int, _ outcome: Outcome) {
        guard let current = clients[client].current else { return }
        history.complete(current.number, outcome, atNs: nowNs)
        switch outcome {
        case .answered, .conflict: statistics.answered += 1
        case .refused: statistics.refused += 1
        case .unknown: break
        }
        clients[client].current = nil
        let thinkNs =
            clients[client].script == nil ? random.exponential(meanNs: plan.workload.meanThinkNs) : 1_000_000
        schedule(.client(client, .begin), afterNs: thinkNs)
    }
}
