import Foundation
import HoldfastClient
import Simulation
import Synchronization
import Testing

@testable import LiveChecks
@testable import holdfast

/// `holdfast verify` must find each lie, and nothing where there is none. One after the other, for the sake of the
/// tests beside it that wait for the clock.
@Suite(.serialized) struct VerifyTests {
    private func verify(
        _ lie: LyingServer.Lie?
    ) async throws -> (VerifyVerdict, [VerifyInterval], LyingServer, String) {
        let server = try await LyingServer(lie)
        var options = VerifyOptions(seed: 7)
        options.ratePerSecond = 800
        options.clients = 4
        options.objects = 2
        options.intervalSeconds = 0.4
        // It ends when there was enough to look at, and with a lie when that is found: a process may have to wait for
        // its turn, and a window may be over before anything was asked.
        options.seconds = 60
        options.historyFile = FileManager.default.temporaryDirectory.appendingPathComponent(
            "verify-\(UUID().uuidString).jsonl"
        ).path
        let access = LiveAccess(
            endpoints: [server.endpoint], project: "p", credentials: .key("k", secret: "s"), timeout: .seconds(2))
        var intervals: [VerifyInterval] = []
        let isEnough = Atomic(false)
        let verdict = try await VerifyRun(access, options).run(isStopped: { isEnough.load(ordering: .relaxed) }) {
            intervals.append($0)
            let isHeard = intervals.reduce(0) { $0 + $1.answered } > 50 && intervals.count >= 2
            isEnough.store(lie == nil && isHeard, ordering: .relaxed)
        }
        return (verdict, intervals, server, options.historyFile)
    }

    @Test func anHonestServerIsClean() async throws {
        let (verdict, intervals, server, file) = try await verify(nil)
        #expect(verdict.exitStatus == 0 && verdict.violations.isEmpty && verdict.undecided == 0)
        #expect(verdict.answered > 50 && verdict.unknown == 0 && intervals.count >= 2)
        #expect(verdict.historyFile == nil && !FileManager.default.fileExists(atPath: file))
        #expect(verdict.leftOver.isEmpty)
        #expect(try await server.objects.isEmpty)
        #expect(VerifyText.lines(verdict).hasSuffix("verify: all promises kept"))
        try await server.close()
    }

    @Test(arguments: LyingServer.Lie.allCases)
    func everyLieIsFound(lie: LyingServer.Lie) async throws {
        let (verdict, intervals, server, file) = try await verify(lie)
        #expect(verdict.exitStatus == 4, "\(lie)")
        let messages = verdict.violations.map(\.message).joined(separator: "\n")
        switch lie {
        case .twoOwners: #expect(messages.contains("epoch 3 has two owners"))
        case .epochBack: #expect(messages.contains("goes back: epoch 2 after 3"))
        case .indexBack: #expect(messages.contains("goes back: index"))
        case .noPlace: #expect(messages.contains("without epoch and index"))
        case .staleRead, .lostWrite, .doubledWrite, .appliedRefusal:
            #expect(!messages.contains("goes back") && !messages.contains("two owners"))
        }
        // It ends with that window, says so, and keeps the evidence: in a file, and in the cluster.
        #expect(intervals.last?.violations.isEmpty == false)
        #expect(intervals.dropLast().allSatisfy { $0.violations.isEmpty })
        #expect(VerifyText.lines(verdict).hasSuffix("verify: BROKEN PROMISES"))
        #expect(verdict.historyFile == file)
        let lines = try LocalFile.readText(file).split(separator: "\n").map { try JSON(parsing: Array($0.utf8)) }
        #expect(lines.allSatisfy { RecordedOperation($0) != nil })
        let harmed = Set(verdict.violations.map(\.object))
        #expect(Set(lines.compactMap { $0["object"]?.text }) == harmed)
        #expect(try await server.objects == harmed.map { "holdfast-verify/\($0)" }.sorted())
        try await server.close()
        try FileManager.default.removeItem(atPath: file)
    }

    @Test func nothingIsCheckedWithoutCredentials() async throws {
        let server = try await ScriptedServer([ScriptedServer.json(401, #"{"message":"no","applied":"no"}"#)])
        let access = LiveAccess(
            endpoints: [server.endpoint], project: "p", credentials: .key("k", secret: "s"), timeout: .seconds(2))
        await #expect(throws: HoldfastError.self) {
            try await VerifyRun(access, VerifyOptions(seed: 1)).run(isStopped: { false }) { _ in }
        }
        try await server.close()
    }

    @Test func optionsHaveBounds() throws {
        let command = try #require(try Holdfast.parseAsRoot(["verify", "--forever", "--rate", "5"]) as? VerifyCommand)
        let options = command.options(endpoints: 5, seed: 1)
        #expect(options.seconds == nil && options.ratePerSecond == 5 && options.clients == 10)
        for words in [["--rate", "0"], ["--interval", "0"], ["--clients", "0"], ["--seconds", "nan"]] {
            #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(["verify"] + words) }
        }
    }
}

/// The judgement itself, on windows made by hand.
@Suite struct WindowCheckTests {
    private var check = WindowCheck(objects: ["o"])

    private func record(
        _ call: Call, _ outcome: Outcome, _ fromNs: UInt64, _ toNs: UInt64, process: Int = 0,
        item: String = "counter-0", epoch: UInt64 = 1, index: UInt64? = nil, owner: String = "n1"
    ) -> LiveRecord {
        LiveRecord(
            RecordedOperation(
                process: process, object: "o", item: item, call: call, invokedNs: fromNs,
                returnedNs: outcome == .unknown ? nil : toNs, outcome: outcome),
            place: AnswerPlace(epoch: epoch, index: index ?? fromNs, owner: owner))
    }

    private func last(_ shows: Observation, version: UInt64, _ ns: UInt64, item: String = "counter-0") -> LiveRecord {
        record(.read, .answered(shows, version: version), ns, ns + 1, process: WindowCheck.reader, item: item)
    }

    @Test mutating func aWindowKnowsHowTheOneBeforeEnded() {
        let first = check.close([
            record(.increment(by: 1), .answered(.number(1), version: 5), 100, 110), last(.number(1), version: 5, 120),
        ])
        #expect(first.violations.isEmpty && first.retired.isEmpty)
        var forgetful = check
        let good = check.close([
            record(.increment(by: 1), .answered(.number(2), version: 6), 200, 210), last(.number(2), version: 6, 220),
        ])
        #expect(good.violations.isEmpty)
        // What was acknowledged in the first window is gone in the second.
        let bad = forgetful.close([record(.read, .answered(.absent, version: 0), 200, 210)])
        #expect(bad.violations.count == 1 && bad.retired.count == 1)
    }

    @Test mutating func listsAndRegistersAreFollowedToo() {
        let records = [
            record(.push(7), .answered(.list([7]), version: 5), 100, 110, item: "list-0"),
            record(.push(8), .answered(.list([7, 8]), version: 6), 111, 115, item: "list-0"),
            record(.set(9), .answered(.value(9), version: 3), 116, 119, item: "register-0"),
            last(.list([7, 8]), version: 6, 120, item: "list-0"), last(.value(9), version: 3, 125, item: "register-0"),
        ]
        #expect(check.close(records).violations.isEmpty)
        var second = check
        #expect(
            check.close([
                record(.push(9), .answered(.list([7, 8, 9]), version: 7), 200, 210, item: "list-0"),
                record(
                    .compareAndSet(expectedVersion: 3, value: 4), .answered(.value(4), version: 8), 220, 230,
                    item: "register-0"),
            ]).violations.isEmpty)
        let report = second.close([
            record(.push(9), .answered(.list([8, 9]), version: 7), 200, 210, item: "list-0"),
            record(.compareAndSet(expectedVersion: 3, value: 4), .conflict, 220, 230, item: "register-0"),
        ])
        #expect(report.violations.map(\.item) == ["list-0", "register-0"])
    }

    @Test mutating func anOpenOutcomeRetiresItsItem() {
        let report = check.close([
            record(.increment(by: 1), .unknown, 100, 110), last(.absent, version: 0, 120),
        ])
        #expect(report.violations.isEmpty)
        #expect(report.retired == [WindowCheck.Place(object: "o", item: "counter-0")])
        // An item that nobody could read at the end cannot be followed either.
        #expect(check.close([record(.read, .answered(.absent, version: 0), 200, 210)]).retired.count == 1)
    }

    @Test mutating func orderIsWatchedOverWindows() {
        _ = check.close([last(.absent, version: 0, 100)])
        let report = check.close([record(.read, .answered(.absent, version: 0), 200, 210, index: 99)])
        #expect(report.violations.map(\.message) == ["an answer goes back: index 99 after 100"])
    }

    @Test func anEpochHasOneOwner() {
        var book = OwnerBook()
        func note(_ epoch: UInt64, _ owner: String, isReplay: Bool = false) -> String? {
            book.note(AnswerPlace(epoch: epoch, index: 1, owner: owner, isReplay: isReplay), of: "o")
        }
        #expect(note(1, "n1") == nil && note(2, "n2") == nil && note(1, "n1") == nil)
        #expect(note(2, "n1", isReplay: true) == nil)
        #expect(note(2, "n1") == "epoch 2 has two owners, n2 and n1")
        #expect(note(3, "") != nil)
        #expect(book.note(AnswerPlace(epoch: 2, index: 1, owner: "n3"), of: "other") == nil)
        for epoch in 4...40 { #expect(note(UInt64(epoch), "n\(epoch)") == nil) }
        // Older ones are forgotten, so that a run may last for ever.
        #expect(note(2, "n9") == nil)
    }

    @Test func aPlanLeavesLongListsAndRetiredItems() {
        var plan = VerifyPlan(name: "x", objects: 2, seed: 1)
        let before = plan.places
        #expect(before.count == 6 && before.contains(WindowCheck.Place(object: "x-0", item: "list-0")))
        var kinds: Set<ItemKind> = []
        for _ in 0..<600 {
            let call = plan.next()
            if let kind = ItemKind(item: call.item) { kinds.insert(kind) }
        }
        #expect(kinds.count == 3)
        let retired = WindowCheck.Place(object: "x-1", item: "counter-0")
        let left = plan.renew([retired])
        #expect(left.contains(retired) && left.contains(WindowCheck.Place(object: "x-0", item: "list-0")))
        #expect(Set(plan.places).isDisjoint(with: left) && plan.places.count == 6)
    }
}
