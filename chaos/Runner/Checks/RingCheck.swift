import Simulation

/// Every ring that anybody saw is whole, and every one that replaced another by compare-and-set is one turn away from
/// the very one that it replaced.
enum RingCheck {
    static func check(_ transcript: Transcript) -> CheckVerdict {
        var byVersion: [String: [UInt64: UInt64]] = [:]
        var faults: [String] = []
        var seen = 0
        for operation in transcript.operations {
            guard case .answered(.value(let value), let version) = operation.outcome else { continue }
            seen += 1
            if !Ring(value).isWhole { faults.append("\(operation.object): the ring is broken: \(Ring(value).next)") }
            let before = byVersion[operation.object, default: [:]].updateValue(value, forKey: version)
            if let before, before != value {
                faults.append("\(operation.object): two values under one version \(version)")
            }
        }
        var turns = 0
        for operation in transcript.operations {
            guard case .compareAndSet(let expected, let value) = operation.call,
                case .answered = operation.outcome
            else { continue }
            turns += 1
            guard let before = byVersion[operation.object]?[expected] else {
                faults.append("\(operation.object): replaced version \(expected), which nobody was shown")
                continue
            }
            if !Ring(value).isTurn(of: Ring(before)) {
                faults.append("\(operation.object): stamp \(Ring(value).stamp) is no turn of what it replaced")
            }
        }
        return CheckVerdict("ring", faults: faults, detail: "\(seen) rings seen, \(turns) turns")
    }
}
