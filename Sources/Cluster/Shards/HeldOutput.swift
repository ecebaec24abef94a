import ObjectRuntime
import Placement

/// An answer that waits for what it rests on (O3).
struct HeldOutput {
    enum Rest {
        /// Rests on its own entry: leaves when that is committed.
        case entry
        /// Rests on what was committed when the value was taken: must pass O4 before it leaves.
        case readCheck
        /// Rests on a barrier that was appended after the read arrived: leaves when that is committed.
        case barrier
    }

    var origin: Origin
    var sequence: UInt64
    var epoch: Epoch
    var answer: Answer
    var rest: Rest
    /// A write that made no entry: a second copy of it would be executed again (O10).
    var isUnchangedWrite = false
    var effect = ShardReplica.Effect.none
}
