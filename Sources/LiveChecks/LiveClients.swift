import HoldfastClient
import Simulation

/// Clients that make one call after the other, with pauses in between.
struct LiveClients: Sendable {
    let callers: [LiveCaller]
    /// Of all of them together.
    let ratePerSecond: Double
    let seed: UInt64

    /// Ends when `isOver` and every call has its answer. `next` and `done` are called by all clients.
    func run(
        isOver: @escaping @Sendable () -> Bool, next: @escaping @Sendable () async -> LiveCall,
        done: @escaping @Sendable (LiveRecord) async -> Void
    ) async {
        var seeds = SeededGenerator(seed: seed)
        await withTaskGroup(of: Void.self) { group in
            for (number, caller) in callers.enumerated() {
                let generator = seeds.split()
                group.addTask {
                    await one(caller, number: number, generator, isOver: isOver, next: next, done: done)
                }
            }
        }
    }

    private func one(
        _ caller: LiveCaller, number: Int, _ generator: SeededGenerator, isOver: @Sendable () -> Bool,
        next: @Sendable () async -> LiveCall, done: @Sendable (LiveRecord) async -> Void
    ) async {
        var generator = generator
        let pauseNsMax = UInt64(2e9 * Double(callers.count) / ratePerSecond)
        while true {
            await sleep(untilNs: steadyNs() + generator.below(pauseNsMax + 1), unless: isOver)
            guard !isOver() else { return }
            await done(caller.perform(await next(), process: number))
        }
    }
}

extension Array {
    /// The same elements, beginning with the one at `start`, which may be beyond the end.
    func rotated(by start: Int) -> [Element] {
        guard !isEmpty else { return self }
        let first = start % count
        return Array(self[first...] + self[..<first])
    }
}
