import Cluster
import Placement
import Raft

/// How cores get to run: inputs wait in an inbox, a turn steps some of them, then one flush, whose effects are
/// carried out whole. Between the steps and the flush time may pass.
extension World {
    func give(_ input: NodeInput, to process: RunningProcess) {
        process.nodeInbox.append(input)
        wake(process, core: 0)
    }

    func give(_ input: LoopInput, to process: RunningProcess, loop: Int) {
        process.loopInboxes[loop].append(input)
        if case .tick = input {} else { process.isNews[loop] = true }
        wake(process, core: loop + 1)
    }

    private func wake(_ process: RunningProcess, core: Int) {
        guard process.turns[core] == .idle else { return }
        process.turns[core] = .scheduled
        let delayNs = random.exponential(meanNs: 15_000) + machines[process.machine].turnDelayNs
        schedule(
            .turn(machine: process.machine, generation: process.generation, core: core), afterNs: delayNs)
    }

    func tick(_ process: RunningProcess, core: Int) {
        if core == 0 {
            give(.tick, to: process)
        } else {
            give(.tick, to: process, loop: core - 1)
        }
        schedule(
            .tick(machine: process.machine, generation: process.generation, core: core),
            afterNs: plan.settings.tickMs * 1_000_000)
    }

    func turn(_ process: RunningProcess, core: Int) {
        let clocks = clocks(process.machine)
        let taken: Int
        if core == 0 {
            let inputs = take(&process.nodeInbox)
            taken = inputs.count
            for input in inputs { process.node.step(input, now: clocks) }
        } else {
            let inputs = take(&process.loopInboxes[core - 1])
            taken = inputs.count
            for input in inputs { process.loops[core - 1].step(input, now: clocks) }
        }
        trace.mix(UInt64(process.machine) << 32 | UInt64(core) << 24 | UInt64(taken))
        process.turns[core] = .stepped
        guard random.chance(plan.gapChance) else { return flush(process, core: core) }
        schedule(
            .flush(machine: process.machine, generation: process.generation, core: core),
            afterNs: random.exponential(meanNs: plan.gapMeanNs))
    }

    /// All that waits, or now and then only the first of it.
    private func take<Input>(_ inbox: inout [Input]) -> [Input] {
        let count = inbox.count > 1 && random.chance(0.2) ? 1 + random.below(inbox.count) : inbox.count
        let taken = Array(inbox.prefix(count))
        inbox.removeFirst(count)
        return taken
    }

    func flush(_ process: RunningProcess, core: Int) {
        let clocks = clocks(process.machine)
        process.turns[core] = .idle
        if core == 0 {
            carryOut(process.node.flush(now: clocks), of: process)
        } else {
            carryOut(process.loops[core - 1].flush(now: clocks), of: process, loop: core - 1)
        }
        guard isAlive(process) else { return }
        if core > 0, process.isNews[core - 1] {
            process.isNews[core - 1] = process.hasInput(core: core)
            watch(process, loop: core - 1)
        }
        if process.hasInput(core: core) { wake(process, core: core) }
    }

    func isAlive(_ process: RunningProcess) -> Bool { machines[process.machine].process === process }

    private func carryOut(_ effects: NodeEffects, of process: RunningProcess) {
        let machine = process.machine
        if let batch = effects.persist { append(batch, of: process, core: 0) }
        guard isAlive(process) else { return }
        for outgoing in effects.messages { send(outgoing.message, from: process, to: outgoing.to) }
        for (address, message) in effects.toAddresses {
            guard let target = machines.firstIndex(where: { $0.address == address }) else { continue }
            transmit(message, from: process, to: target, generation: nil)
        }
        tellLoops(effects, of: process)
        if !effects.collect.isEmpty { collect(effects.collect, of: process) }
        for obituary in effects.buried { confirmBurial(obituary, from: machine) }
        if let reason = effects.exit { exit(process, reason) }
    }

    private func tellLoops(_ effects: NodeEffects, of process: RunningProcess) {
        for loop in process.loops.indices {
            if let genesis = effects.formed { give(.formed(genesis), to: process, loop: loop) }
            if let view = effects.view { give(.view(view), to: process, loop: loop) }
            if let lease = effects.lease { give(.lease(lease), to: process, loop: loop) }
            if effects.drainLoops { give(.drain, to: process, loop: loop) }
        }
        if let view = effects.view {
            tell(view, before: newestView)
            process.view = view
            if let state = view.state { presence.observe(state, nowNs: nowNs) }
            safety.observe(view, machine: process.machine, in: self)
        }
        for message in effects.toLoops {
            deliver(message, from: process.identity.nodeID, to: process)
        }
    }

    private func collect(_ rounds: [UInt64], of process: RunningProcess) {
        for round in rounds {
            var shards: [ShardReport] = []
            var counters = NodeCounters()
            for loop in process.loops {
                let report = loop.report()
                shards += report.shards
                counters.add(report.counters)
            }
            give(.collected(round, shards: shards, counters: counters), to: process)
        }
    }

    /// What is new in the table.
    private func tell(_ view: ClusterView, before: ClusterView?) {
        guard narrate != nil, let before, view.index > before.index, let records = view.state?.table.records else {
            return
        }
        for record in records where record != before.state?.table.record(of: record.shard) {
            note(
                "shard \(record.shard) epoch \(record.epoch) owner \(record.owner.map { nodeName($0.node) } ?? "none") "
                    + describe(record))
        }
    }

    private func carryOut(_ effects: LoopEffects, of process: RunningProcess, loop: Int) {
        if let batch = effects.persist { append(batch, of: process, core: loop + 1) }
        guard isAlive(process) else { return }
        for outgoing in effects.messages { send(outgoing.message, from: process, to: outgoing.to) }
        for (target, message) in effects.toLoops {
            give(.message(from: process.identity.nodeID, message), to: process, loop: target)
        }
        for request in effects.toNode { give(.loop(request), to: process) }
        for answered in effects.answers { pass(answered, from: process) }
        for output in effects.sockets { carryOut(output, of: process, loop: loop) }
        for request in effects.store { machines[process.machine].store.ask(request, from: loop) }
        if !effects.store.isEmpty { beginStoring(process) }
        for lost in effects.lost { noticeLoss(of: lost.shard, process.machine) }
        for lost in effects.lost { note("\(process.identity.name) loses shard \(lost.shard): \(lost.what)") }
    }

    // MARK: - The disk

    private func append(_ batch: PersistBatch, of process: RunningProcess, core: Int) {
        trace.mix(UInt64(batch.records.count), batch.id.rawValue)
        safety.observe(batch.records, machine: process.machine, in: self)
        machines[process.machine].disk.append(batch, from: core)
        if dies(process.machine, at: .queued) { return }
        beginSync(process)
    }

    func beginSync(_ process: RunningProcess) {
        let machine = process.machine
        guard machines[machine].disk.wantsSync, machines[machine].standstill == nil else { return }
        guard machines[machine].disk.beginSync() else { return note("\(machines[machine].name) has no space") }
        statistics.syncs += 1
        for count in 0..<machines[machine].disk.unsyncedSteps {
            if dies(machine, at: .written(stepsKept: count)) { return }
        }
        let delayNs = 30_000 + random.exponential(meanNs: plan.syncMeanNs) + slowSyncNs(machine)
        schedule(.synced(machine: machine, generation: process.generation), afterNs: delayNs)
    }

    private func slowSyncNs(_ machine: Int) -> UInt64 {
        let meanNs = machines[machine].syncDelayNs
        return meanNs == 0 ? 0 : random.exponential(meanNs: meanNs)
    }

    func synced(_ machine: Int, _ generation: UInt64) {
        guard let process = process(machine, generation) else { return }
        if machines[machine].standstill == .suspended {
            machines[machine].deferred.append(.synced(machine: machine, generation: generation))
            return
        }
        let durable = machines[machine].disk.finishSync()
        forgetRecordedLoss(machine)
        for seal in durable.flatMap(\.seals) { safety.noteDurable(seal: seal, machine: machine) }
        if dies(machine, at: .synced) { return }
        for waiting in durable {
            if waiting.core == 0 {
                give(.persisted(waiting.batch), to: process)
            } else {
                give(.persisted(waiting.batch), to: process, loop: waiting.core - 1)
            }
        }
        beginSync(process)
    }

    // MARK: - The store

    func beginStoring(_ process: RunningProcess) {
        let store = machines[process.machine].store
        guard store.wantsTurn, machines[process.machine].standstill == nil else { return }
        store.beginTurn(atMost: 1 + random.below(plan.storeTurnMax))
        if dies(process.machine, at: .begun) { return }
        let delayNs = 30_000 + random.exponential(meanNs: 2 * plan.syncMeanNs) + slowSyncNs(process.machine)
        schedule(.stored(machine: process.machine, generation: process.generation), afterNs: delayNs)
    }

    func stored(_ machine: Int, _ generation: UInt64) {
        guard let process = process(machine, generation) else { return }
        if machines[machine].standstill == .suspended {
            machines[machine].deferred.append(.stored(machine: machine, generation: generation))
            return
        }
        let answers = machines[machine].store.finishTurn()
        if dies(machine, at: .committed) { return }
        for answer in answers {
            give(.store(answer.result), to: process, loop: answer.loop)
        }
        beginStoring(process)
    }
}
