import Testing

@testable import Simulation

@Suite struct `Seeds` {
    @Test(arguments: [2, 13, 21] as [UInt64])
    func `run clean`(seed: UInt64) {
        let result = SimulationRun.run(Recipe(seed: seed, seconds: 4))
        #expect(result.failure == nil, "\(result.description)")
        #expect(result.operations > 20)
    }

    @Test func `the same seed takes the same way twice`() {
        let first = SimulationRun.run(Recipe(seed: 7, seconds: 2))
        let second = SimulationRun.run(Recipe(seed: 7, seconds: 2))
        #expect(first.trace == second.trace)
        #expect(first.statistics == second.statistics)
        #expect(SimulationRun.run(Recipe(seed: 8, seconds: 2)).trace != first.trace)
    }

    @Test func `the generator draws the same numbers everywhere`() {
        var random = SeededGenerator(seed: 42)
        let drawn = (0..<4).map { _ in random.next() }
        #expect(
            drawn == [
                1_546_998_764_402_558_742, 6_990_951_692_964_543_102, 12_544_586_762_248_559_009,
                17_057_574_109_182_124_193,
            ])
        #expect((0..<1_000).allSatisfy { _ in random.below(7) < 7 })
    }

    @Test func `a program that finds nothing ends with 0 and says how fast it was`() {
        var lines: [String] = []
        var clock: UInt64 = 0
        let status = SimulationProgram.run(
            .init(recipe: Recipe(seed: 1, seconds: 1), count: 2), runner: SerialRunner(),
            surroundings: .init(
                realNs: {
                    clock += 30_000_000_000
                    return clock
                },
                print: { lines.append($0) }))
        #expect(status == SimulationProgram.ExitCode.clean)
        #expect(lines.last?.contains("2 seeds, no violation") == true)
        #expect(lines.last?.contains("simulated hours per real minute") == true)
    }

    @Test func `a planted bug is refused by a build that has none`() {
        var options = SimulationProgram.Options(recipe: Recipe(seed: 1))
        options.plantedBug = "vote-twice"
        let status = SimulationProgram.run(
            options, runner: SerialRunner(), surroundings: .init(realNs: { 0 }, print: { _ in }))
        #expect(status == SimulationProgram.ExitCode.usage)
    }
}
