import Binary

/// Who votes and who listens. While `outgoing` is not empty the configuration is joint: every decision
/// needs a majority of `voters` and a majority of `outgoing`.
public struct Configuration: Sendable, Equatable {
    public private(set) var voters: [NodeID]
    public private(set) var outgoing: [NodeID]
    public private(set) var learners: [NodeID]

    /// Lists are sorted and freed of repetitions; a voter is not also a learner.
    public init(voters: [NodeID], outgoing: [NodeID] = [], learners: [NodeID] = []) {
        let sortedVoters = Self.sortedSet(voters)
        self.voters = sortedVoters
        self.outgoing = Self.sortedSet(outgoing)
        self.learners = Self.sortedSet(learners).filter { !sortedVoters.contains($0) }
    }

    public var isJoint: Bool { !outgoing.isEmpty }

    /// A replica that has never heard of its group's configuration.
    public var isEmpty: Bool { voters.isEmpty }

    /// Everybody who gets the log, sorted.
    public var members: [NodeID] { Self.sortedSet(voters + outgoing + learners) }

    public func isVoter(_ node: NodeID) -> Bool { voters.contains(node) || outgoing.contains(node) }

    public func isMember(_ node: NodeID) -> Bool { isVoter(node) || learners.contains(node) }

    private static func sortedSet(_ nodes: [NodeID]) -> [NodeID] {
        var result: [NodeID] = []
        for node in nodes.sorted() where result.last != node { result.append(node) }
        return result
    }
}

// MARK: - Quorums

extension Configuration {
    /// Whether those for whom `agrees` is true are a majority (of both halves while joint).
    /// An empty configuration has no quorum.
    public func hasQuorum(where agrees: (NodeID) -> Bool) -> Bool {
        guard !isEmpty else { return false }
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.countNewHalfOnly) { return Self.hasMajority(of: voters, where: agrees) }
        #endif
        return Self.hasMajority(of: voters, where: agrees)
            && (!isJoint || Self.hasMajority(of: outgoing, where: agrees))
    }

    /// Whether those for whom `refuses` is true make a quorum impossible.
    public func isBlocked(where refuses: (NodeID) -> Bool) -> Bool {
        !hasQuorum { !refuses($0) }
    }

    /// The highest index that a quorum holds.
    public func quorumIndex(_ match: (NodeID) -> LogIndex) -> LogIndex {
        guard !isEmpty else { return .zero }
        #if PLANTED_BUGS
        if PlantedBug.isActive(.countLearner) { return Self.majorityIndex(of: voters + learners, match) }
        #endif
        let incoming = Self.majorityIndex(of: voters, match)
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.countNewHalfOnly) { return incoming }
        #endif
        return isJoint ? min(incoming, Self.majorityIndex(of: outgoing, match)) : incoming
    }

    private static func hasMajority(of nodes: [NodeID], where agrees: (NodeID) -> Bool) -> Bool {
        var count = 0
        for node in nodes where agrees(node) { count += 1 }
        return count > nodes.count / 2
    }

    /// Groups are small and this runs for each acknowledgement: counting beats sorting an array.
    private static func majorityIndex(of nodes: [NodeID], _ match: (NodeID) -> LogIndex) -> LogIndex {
        var best = LogIndex.zero
        for node in nodes {
            let candidate = match(node)
            if candidate > best, hasMajority(of: nodes, where: { match($0) >= candidate }) {
                best = candidate
            }
        }
        return best
    }
}

// MARK: - Changes

extension Configuration {
    /// The entry that begins the way to `target`: joint when voters change, at once when only learners do.
    func changing(to target: Configuration) -> Configuration {
        guard target.voters != voters else {
            return Configuration(voters: voters, learners: target.learners)
        }
        return Configuration(voters: target.voters, outgoing: voters, learners: target.learners)
    }

    /// The entry that ends a joint configuration.
    var leavingJoint: Configuration { Configuration(voters: voters, learners: learners) }
}

// MARK: - Bytes

extension Configuration {
    static let maximumMembers = 1024

    public func encode(into writer: inout ByteWriter) {
        for list in [voters, outgoing, learners] {
            writer.writeArray(list) { $0.write($1.rawValue) }
        }
    }

    public var encoded: [UInt8] {
        var writer = ByteWriter(reserving: 3 + 8 * (voters.count + outgoing.count + learners.count))
        encode(into: &writer)
        return writer.bytes
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            voters: try Self.readNodes(&reader), outgoing: try Self.readNodes(&reader),
            learners: try Self.readNodes(&reader))
        guard !voters.isEmpty || (outgoing.isEmpty && learners.isEmpty) else {
            throw DecodingFailure("a configuration without voters")
        }
    }

    /// The configuration in an entry's payload; nil if the bytes are not one, or nobody votes in it.
    public init?(decoding payload: [UInt8]) {
        var reader = ByteReader(payload)
        do throws(DecodingFailure) {
            try self.init(from: &reader)
            try reader.finish()
        } catch {
            return nil
        }
        guard !isEmpty else { return nil }
    }

    private static func readNodes(_ reader: inout ByteReader) throws(DecodingFailure) -> [NodeID] {
        try reader.readArray(limit: maximumMembers) { (reader) throws(DecodingFailure) in
            NodeID(try reader.readUInt64())
        }
    }
}
