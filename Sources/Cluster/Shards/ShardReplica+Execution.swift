import Binary
import ObjectRuntime
import Placement
import Raft

/// How the owner takes tries, executes them one after another, and lets answers out.
extension ShardReplica {
    /// Takes a try (O11): executes it, keeps it for a newer table, or sends it back to its edge.
    /// `now` is nil while the mailbox is only being sorted.
    func receive(_ attempt: Try, now: Clocks?) {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.skipEpochCheck), isServing, let now {
            execute(attempt, now: now)
            return
        }
        #endif
        if attempt.epoch < record.epoch { return refuse(attempt) }
        if attempt.epoch > record.epoch { return keep(attempt) }
        guard isNamedOwner, givenAway != record.epoch, !isDraining || hasHeirs else { return refuse(attempt) }
        guard isServing, isAdmitting, let now else { return keep(attempt) }
        if !hasRoom, attempt.request.operation.isWrite { return takeWithoutRoom(attempt) }
        execute(attempt, now: now)
    }

    func keep(_ attempt: Try) {
        if !mailbox.post(attempt, bytes: attempt.request.operation.byteCount) { send(.overloaded, for: attempt) }
    }

    private func refuse(_ attempt: Try) {
        counters.fencedReplies += 1
        send(.refused, for: attempt)
    }

    func send(_ result: TryOutcome.Result, for attempt: Try) {
        let outcome = TryOutcome(
            loop: attempt.origin.loop, token: attempt.origin.token, sequence: attempt.sequence,
            shard: shard, epoch: attempt.epoch, commitIndex: raft.commit.rawValue, result: result)
        outbox.append((node: attempt.origin.node, message: .outcome(outcome)))
    }

    /// O10: also of tries that waited here while their edge was fenced. Its ids may be forgotten already, and
    /// nobody would see that what they do ends (O15).
    private func isFromFencedEdge(_ attempt: Try) -> Bool {
        placement?.registry.isOver(incarnation: attempt.stream.incarnation) == true
    }

    private func execute(_ attempt: Try, now: Clocks) {
        if isFromFencedEdge(attempt) { return }
        // Reads only: a message that waited would be taken for a copy of a later one, and dropped.
        if attempt.minimumIndex > raft.commit.rawValue, !attempt.request.operation.hasEffect {
            return wait(attempt, now: now)
        }
        counters.executedOperations += 1
        executedSinceReport += 1
        keySample.note(attempt.request.object.key)
        let next = raft.lastIndex.next
        var context = ExecutionContext(
            nowMs: now.wallMs, windowAgeMs: windowAge.reached(now), epoch: raft.sealedTerm.rawValue,
            nextIndex: next.rawValue,
            random: random(attempt.request.operation, index: next.rawValue, now: now),
            defaultTTLMs: defaultLifetimeMs(attempt.request.object), limits: limits,
            isWatched: isWatched(attempt.request.object, nowMs: now.rawNs / 1_000_000))
        switch executeWithinQuota(attempt.request, &context) {
        case .write(let payload, let answer):
            let index = raft.propose(payload)
            precondition(index == next, "O3: an entry gets the index that its execution was told")
            executedThrough = index
            gate.hold(held(attempt, answer, rest: .entry), until: index.rawValue)
        case .read(let answer, let restsOn):
            var output = held(attempt, answer, rest: .readCheck)
            output.isUnchangedWrite = attempt.request.operation.isWrite
            output.effect = effect(of: attempt, nowMs: now.rawNs / 1_000_000)
            holdRead(output, restsOn: restsOn)
        case .replay(let answer, let restsOn):
            holdRead(held(attempt, answer, rest: .readCheck), restsOn: restsOn)
        case .unavailable(.outOfRange): refuse(attempt)
        case .unavailable(.frozen): keep(attempt)
        // O9: out of service; the loop takes this replica's place.
        case .unavailable(.damaged): refuse(attempt)
        }
    }

    private func holdRead(_ output: HeldOutput, restsOn index: UInt64) {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.answerReadsUnchecked), case .none = output.effect { return answer(output) }
        #endif
        // Behind what waits at the gate already: messages of one sender must not overtake each other.
        if index > releasedThrough.rawValue {
            gate.hold(output, until: index)
        } else {
            readsToCheck.append(output)
        }
    }

    /// The edge gives up after its deadline, and so does what waits here for it.
    private func wait(_ attempt: Try, now: Clocks) {
        guard waitingForIndex.count < settings.mailboxRequestsMax else { return send(.overloaded, for: attempt) }
        let untilMs = now.rawNs / 1_000_000 + settings.requestDeadlineMs
        waitingForIndex.append(WaitingRead(attempt: attempt, untilMs: untilMs))
    }

    private func held(_ attempt: Try, _ answer: Answer, rest: HeldOutput.Rest) -> HeldOutput {
        HeldOutput(
            origin: attempt.origin, sequence: attempt.sequence, epoch: record.epoch, answer: bounded(answer),
            rest: rest)
    }

    /// An answer that no frame could carry is refused; whether the operation was applied stays true.
    private func bounded(_ answer: Answer) -> Answer {
        guard case .json(let text) = answer.reply, text.count > PeerMessage.answerBytesMax else { return answer }
        var refused = answer
        refused.reply = .refused(
            .tooLarge(
                "answer.tooLarge",
                "The answer has \(text.count) bytes; the limit is \(PeerMessage.answerBytesMax). Ask for fewer "
                    + "items, by name or by prefix."))
        return refused
    }

    /// Bits for the salts of encryption settings; no other operation needs any.
    private func random(_ operation: Operation, index: UInt64, now: Clocks) -> (UInt64, UInt64) {
        guard operation.drawsRandomBits else { return (0, 0) }
        var writer = ByteWriter(reserving: 25)
        writer.write(UInt64(shard.rawValue))
        writer.write(index)
        writer.write(now.rawNs)
        let first = entropy.hash(writer.bytes)
        writer.write(UInt8(1))
        return (first, entropy.hash(writer.bytes))
    }

    private func defaultLifetimeMs(_ object: ObjectID) -> UInt64? {
        guard !defaultLifetimesMs.isEmpty else { return nil }
        return defaultLifetimesMs[ClassName(project: object.project, name: object.objectClass)]
    }

    // MARK: - Letting out

    /// Lets out what rests on entries up to `commit`, which were committed while this node led.
    func releaseCommitted(through commit: LogIndex) {
        releasedThrough = max(releasedThrough, commit)
        for output in gate.release(through: commit.rawValue) {
            switch output.rest {
            case .entry, .barrier: answer(output)
            case .readCheck: readsToCheck.append(output)
            }
        }
    }

    /// O4, after the values were taken: lets reads out under the lease, or sends them through one
    /// barrier that is appended now, after all of them had arrived.
    func checkReads(lease: Deadline, readsByQuorum: Bool, now: Clocks) {
        guard !readsToCheck.isEmpty else { return }
        let reads = readsToCheck
        readsToCheck = []
        if mayAnswerReads(lease: lease, readsByQuorum: readsByQuorum, now: now) {
            for output in reads { answerInOrder(output) }
            return
        }
        guard isServing else { return }
        counters.barrierReads += UInt64(reads.count)
        let barrier = raft.proposeBarrier()
        readBarrier = barrier
        executedThrough = max(executedThrough, barrier)
        for var output in reads {
            output.rest = .barrier
            gate.hold(output, until: barrier.rawValue)
        }
    }

    /// Messages that wait for a barrier must not be overtaken by those that need none.
    private func answerInOrder(_ output: HeldOutput) {
        if readBarrier > releasedThrough {
            gate.hold(output, until: readBarrier.rawValue)
        } else {
            answer(output)
        }
    }

    /// O4: the lease is valid on this node's own clocks, and the table names this incarnation at the
    /// very epoch whose barrier it has committed and applied.
    func mayAnswerReads(lease: Deadline, readsByQuorum: Bool, now: Clocks) -> Bool {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.readWithoutLease), isServing { return true }
        #endif
        return isServing && !readsByQuorum && !lease.isOverForHolder(now)
    }

    private func answer(_ output: HeldOutput) {
        // O13: let in before a split, let out behind it. The object's feeds and past are the child's now, where
        // the edge tries again.
        if let object = output.effect.object, !state.bounds.range.contains(object.key.rawValue) {
            return send(.refused, for: output)
        }
        var answer = output.answer
        switch output.effect {
        case .none: break
        case .listen(let object, let incarnation, let request):
            answer.reply = .hearing(
                hear(object, request, node: output.origin.node, incarnation: incarnation))
        case .broadcast(let object, let payload, let sender, let stream):
            broadcast(payload, to: object, sender: sender, stream, counter: output.origin.token)
        }
        send(output.isUnchangedWrite ? .unchanged(answer) : .answered(answer), for: output)
    }

    private func send(_ result: TryOutcome.Result, for output: HeldOutput) {
        let outcome = TryOutcome(
            loop: output.origin.loop, token: output.origin.token, sequence: output.sequence,
            shard: shard, epoch: output.epoch, commitIndex: raft.commit.rawValue, result: result)
        outbox.append((node: output.origin.node, message: .outcome(outcome)))
    }

    // MARK: - Applying

    /// Applies what has become committed; entries that this leadership executed are in the state already.
    func apply(_ committed: [Entry]) {
        for entry in committed where entry.index > appliedThrough && !state.isDamaged {
            if entry.index > executedThrough, entry.kind == .command {
                do {
                    try state.apply(
                        payload: entry.payload, index: entry.index.rawValue, epoch: entry.term.rawValue)
                } catch {
                    preconditionFailure(
                        "O12: entry \(entry.index.rawValue) of shard \(shard.rawValue) is committed and "
                            + "cannot be read: \(error)")
                }
            }
            appliedThrough = entry.index
            if entry.kind == .command { applyScrub(entry) }
        }
    }
}
