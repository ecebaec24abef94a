/// For an object, (epoch, index) never goes down from one answer to the next, whoever gives them.
public struct AnswerOrder: Sendable {
    private struct Answered {
        var returnedNs: UInt64
        var epoch: UInt64
        var index: UInt64
    }

    /// By object: the highest so far, at each return that raised it.
    private var highest: [[Answered]]

    public init(objectCount: Int) {
        highest = [[Answered]](repeating: [], count: objectCount)
    }

    /// When nothing is under way: of each object only the highest is of use from here on.
    public mutating func settle() {
        highest = highest.map { $0.suffix(1) }
    }

    /// A complaint, if the answer stands below one that had returned before the operation was called.
    public mutating func observe(
        object: Int, invokedNs: UInt64, returnedNs: UInt64, epoch: UInt64, index: UInt64, isWrite: Bool,
        isReplay: Bool
    ) -> String? {
        let answers = highest[object]
        var complaint: String?
        if let before = answers.last(where: { $0.returnedNs < invokedNs }) {
            if isReplay ? false : epoch < before.epoch {
                complaint = "epoch \(epoch) after \(before.epoch) (index \(index) after \(before.index))"
            } else if index < before.index || (isWrite && index == before.index) {
                complaint = "index \(index) after \(before.index)"
            }
        }
        let top = answers.last ?? Answered(returnedNs: 0, epoch: 0, index: 0)
        let raised = Answered(
            returnedNs: returnedNs, epoch: max(epoch, top.epoch), index: max(index, top.index))
        if raised.epoch > top.epoch || raised.index > top.index { highest[object].append(raised) }
        return complaint
    }
}
