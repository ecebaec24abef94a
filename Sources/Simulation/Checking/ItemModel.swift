/// What one item holds, as far as the checker needs to know.
struct ItemState: Hashable {
    enum Content: Hashable {
        case absent
        case number(Int64)
        case value(UInt64)
        /// The first so many elements of the one list that all answers agree on.
        case list(Int)
    }

    var content = Content.absent
    /// The item's `updatedAt`; 0 while no answer has told it.
    var version: UInt64 = 0

    /// A word for the memo; different states give different words but for chance.
    var digest: UInt64 {
        let word: UInt64
        let tag: UInt64
        switch content {
        case .absent: (tag, word) = (1, 0)
        case .number(let number): (tag, word) = (2, UInt64(bitPattern: number))
        case .value(let value): (tag, word) = (3, value)
        case .list(let count): (tag, word) = (4, UInt64(count))
        }
        let mixed = SeededGenerator.scramble(word &* 8 &+ tag)
        return SeededGenerator.scramble(mixed ^ SeededGenerator.scramble(version &+ 0x51ED_270B))
    }
}

/// An operation as a step of the sequential model: applies to a state, or does not fit there.
enum ModelStep: Hashable {
    case read(ItemState.Content?, version: UInt64)
    case set(UInt64, version: UInt64)
    case compareAndSet(expectedVersion: UInt64, value: UInt64, version: UInt64)
    case compareAndSwap(expected: ItemState.Content, value: UInt64, version: UInt64)
    case versionDiffers(UInt64)
    case contentDiffers(ItemState.Content)
    case increment(by: Int64, result: Int64?, version: UInt64)
    /// `position`: where every answer that shows the element shows it.
    case push(position: Int, version: UInt64)
    /// Acknowledged, but no answer shows it: it comes after all that was seen.
    case pushBeyond(seen: Int, version: UInt64)
    case remove

    /// Reads, and conditions that did not hold: they leave the item alone in every state.
    var onlyShows: Bool {
        switch self {
        case .read, .versionDiffers, .contentDiffers: return true
        case .set, .compareAndSet, .compareAndSwap, .increment, .push, .pushBeyond, .remove: return false
        }
    }

    /// The `updatedAt` that the answer to a write told.
    var writtenVersion: UInt64? {
        switch self {
        case .set(_, let version), .compareAndSet(_, _, let version), .compareAndSwap(_, _, let version),
            .increment(_, _, let version), .push(_, let version), .pushBeyond(_, let version):
            return version == 0 ? nil : version
        case .read, .versionDiffers, .contentDiffers, .remove: return nil
        }
    }

    /// The state after the step, or `nil` if the step cannot happen in this state.
    func applied(to state: ItemState) -> ItemState? {
        switch self {
        case .read(let content, let version):
            return ModelStep.observed(content, version, in: state)
        case .set(let value, let version):
            return ModelStep.written(.value(value), version, over: state)
        case .compareAndSet(let expected, let value, let version):
            guard state.content != .absent, state.version == 0 || state.version == expected else {
                return nil
            }
            return ModelStep.written(.value(value), version, over: state)
        case .compareAndSwap(let expected, let value, let version):
            guard state.content == expected else { return nil }
            return ModelStep.written(.value(value), version, over: state)
        case .versionDiffers(let expected):
            let mayDiffer = state.content == .absent || state.version == 0 || state.version != expected
            return mayDiffer ? state : nil
        case .contentDiffers(let expected):
            return state.content != expected ? state : nil
        case .increment(let delta, let result, let version):
            return ModelStep.incremented(by: delta, result, version, over: state)
        case .push(let position, let version):
            guard ModelStep.listCount(state) == position else { return nil }
            return ModelStep.written(.list(position + 1), version, over: state)
        case .pushBeyond(let seen, let version):
            guard let count = ModelStep.listCount(state), count >= seen else { return nil }
            return ModelStep.written(.list(count + 1), version, over: state)
        case .remove:
            return ItemState()
        }
    }

    private static func observed(
        _ content: ItemState.Content?, _ version: UInt64, in state: ItemState
    ) -> ItemState? {
        if let content, content != state.content { return nil }
        guard version != 0 else { return state }
        guard state.version == 0 || state.version == version else { return nil }
        return ItemState(content: state.content, version: version)
    }

    private static func written(
        _ content: ItemState.Content, _ version: UInt64, over state: ItemState
    ) -> ItemState? {
        // `updatedAt` rises strictly while an item lives.
        let rises = version == 0 || state.version == 0 || version > state.version
        return rises ? ItemState(content: content, version: version) : nil
    }

    private static func incremented(
        by delta: Int64, _ result: Int64?, _ version: UInt64, over state: ItemState
    ) -> ItemState? {
        let before: Int64
        switch state.content {
        case .absent: before = 0
        case .number(let number): before = number
        case .value, .list: return nil
        }
        let after = before &+ delta
        if let result, result != after { return nil }
        return written(.number(after), version, over: state)
    }

    private static func listCount(_ state: ItemState) -> Int? {
        switch state.content {
        case .absent: return 0
        case .list(let count): return count
        case .number, .value: return nil
        }
    }
}
