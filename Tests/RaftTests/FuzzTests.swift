import Foundation
import Testing
@testable import Raft

/// Random clusters. Seeds are fixed: a failure names its seed, and the seed replays it.
@Suite struct FuzzTests {
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func electedGroupKeepsItsRulesAndRecovers(seed: UInt64) {
        run(.elected, seed: seed, voters: 3, joining: 2, steps: 4000)
    }

    @Test(arguments: 101...120 as ClosedRange<UInt64>)
    func electedGroupOfFiveKeepsItsRulesAndRecovers(seed: UInt64) {
        run(.elected, seed: seed, voters: 5, joining: 0, steps: 4000)
    }

    @Test(arguments: 201...260 as ClosedRange<UInt64>)
    func appointedGroupKeepsItsRulesAndRecovers(seed: UInt64) {
        run(.appointed, seed: seed, voters: 3, joining: 2, steps: 4000)
    }

    @Test(arguments: 301...310 as ClosedRange<UInt64>)
    func groupOfOneKeepsItsRulesAndRecovers(seed: UInt64) {
        run(seed % 2 == 0 ? .elected : .appointed, seed: seed, voters: 1, joining: 2, steps: 3000)
    }

    @Test(arguments: 501...540 as ClosedRange<UInt64>)
    func aLostDiskLosesNothingElse(seed: UInt64) {
        run(
            seed % 2 == 0 ? .elected : .appointed, seed: seed, voters: 3, joining: 0, steps: 4000,
            losesDisk: true)
    }

    @Test(arguments: 601...660 as ClosedRange<UInt64>)
    func snapshotsThatAreFilesLoseNothing(seed: UInt64) {
        run(
            seed % 2 == 0 ? .elected : .appointed, seed: seed, voters: 3, joining: 2, steps: 5000,
            usesFiles: true)
    }

    @Test(arguments: 701...780 as ClosedRange<UInt64>)
    func membersThatChangeAllTheTimeLoseNothing(seed: UInt64) {
        run(
            seed % 4 == 0 ? .elected : .appointed, seed: seed, voters: 3, joining: 2, steps: 5000,
            usesFiles: seed % 3 == 0, changesMembers: true)
    }

    /// What the runs above are made for does happen in them.
    @Test func membersComeBackAndFilesArrive() {
        var rejoined = 0, installed = 0
        for seed in 701...712 as ClosedRange<UInt64> {
            var cluster = FuzzCluster(
                kind: .appointed, seed: seed, voters: 3, joining: 2, usesFiles: true, changesMembers: true)
            for _ in 0..<5000 { cluster.step() }
            rejoined += cluster.membership.rejoinedCount
            installed += cluster.installedCount
        }
        #expect(rejoined >= 5 && installed > 10, "\(rejoined) came back, \(installed) files arrived")
    }

    /// More seeds, for long runs: `HOLDFAST_FUZZ_SEEDS=first-last`.
    @Test(.enabled(if: FuzzSeeds.fromEnvironment != nil))
    func moreSeeds() {
        for seed in FuzzSeeds.fromEnvironment ?? 0...0 {
            let kind: FuzzCluster.Kind = seed % 2 == 0 ? .elected : .appointed
            switch seed / 2 % 8 {
            case 5: run(kind, seed: seed, voters: 3, joining: 2, steps: 5000, changesMembers: true)
            case 6:
                run(
                    kind, seed: seed, voters: 3, joining: 2, steps: 5000, usesFiles: true, changesMembers: true)
            case 7: run(kind, seed: seed, voters: 5, joining: 2, steps: 5000, changesMembers: true)
            case 4: run(kind, seed: seed, voters: 3, joining: 2, steps: 5000, usesFiles: true)
            case 0: run(kind, seed: seed, voters: 3, joining: 2, steps: 4000)
            case 1: run(kind, seed: seed, voters: 5, joining: 1, steps: 4000)
            case 2: run(kind, seed: seed, voters: 3, joining: 0, steps: 4000, losesDisk: true)
            default: run(kind, seed: seed, voters: 1, joining: 3, steps: 4000)
            }
        }
    }

    @Test(arguments: 401...405 as ClosedRange<UInt64>)
    func theSameSeedGivesTheSameRun(seed: UInt64) {
        #expect(trace(seed) == trace(seed))
    }

    private func trace(_ seed: UInt64) -> String {
        var cluster = FuzzCluster(kind: .elected, seed: seed, voters: 3, joining: 1)
        for _ in 0..<2000 { cluster.step() }
        return "\(cluster.rules.committed) \(cluster.network)"
    }

    private func run(
        _ kind: FuzzCluster.Kind, seed: UInt64, voters: Int, joining: Int, steps: Int, losesDisk: Bool = false,
        usesFiles: Bool = false, changesMembers: Bool = false
    ) {
        var cluster = FuzzCluster(
            kind: kind, seed: seed, voters: voters, joining: joining, losesDisk: losesDisk, usesFiles: usesFiles,
            changesMembers: changesMembers)
        for _ in 0..<steps {
            cluster.step()
            guard cluster.rules.violations.isEmpty else { break }
        }
        #expect(cluster.rules.violations == [], "seed \(seed)")
        cluster.heal()
        let problem = cluster.converge(rounds: 600)
        #expect(problem == nil, "seed \(seed)")
        #expect(cluster.rules.violations == [], "seed \(seed), after healing")
        let isWhole = !cluster.nodes.contains { $0.disk.isDamaged }
        if kind == .appointed, problem == nil, isWhole { expectSilence(&cluster, seed: seed) }
    }

    /// An idle shard costs nothing: no message, whatever time passes. Who is no member any more is ended by the table;
    /// until then it would ask what is committed.
    private func expectSilence(_ cluster: inout FuzzCluster, seed: UInt64) {
        guard let owner = cluster.nodes.first(where: { $0.replica.leads })?.replica else { return }
        for position in cluster.nodes.indices where !owner.configuration.isMember(cluster.nodes[position].id) {
            cluster.nodes[position].isUp = false
        }
        for _ in 0..<60 { cluster.round() }
        let before = cluster.deliveredCount
        for _ in 0..<60 { cluster.round() }
        #expect(cluster.deliveredCount == before, "seed \(seed): an idle group talks")
    }
}

enum FuzzSeeds {
    static var fromEnvironment: ClosedRange<UInt64>? {
        let parts = (ProcessInfo.processInfo.environment["HOLDFAST_FUZZ_SEEDS"] ?? "").split(separator: "-")
        guard parts.count == 2, let first = UInt64(parts[0]), let last = UInt64(parts[1]), first <= last
        else {
            return nil
        }
        return first...last
    }
}
