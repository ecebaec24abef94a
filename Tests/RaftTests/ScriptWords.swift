import Raft

/// How scripts print what replicas say.
extension Message {
    var words: String { "\(from)→\(to) t\(term) \(body.words)" }
}

extension Message.Body {
    var words: String {
        switch self {
        case .append(let append):
            "append after \(append.previous) commit \(append.commit)\(append.entries.words)"
        case .appendAccepted(let answer): "accepted \(answer.match) commit \(answer.commit)"
        case .appendRejected(let answer):
            "rejected \(answer.previous) hint \(answer.hint)\(answer.needsSnapshot ? " needs snapshot" : "")"
        case .heartbeat(let beat): "heartbeat round \(beat.round) commit \(beat.commit)"
        case .heartbeatAnswer(let answer): "heartbeat answer round \(answer.round)"
        case .voteRequest(let request):
            "\(request.isPreVote ? "pre-vote" : "vote")? last \(request.last)\(request.reason.words)"
        case .voteAnswer(let answer):
            "\(answer.isPreVote ? "pre-vote" : "vote") \(answer.granted ? "granted" : "refused")"
        case .timeoutNow: "timeout now"
        case .snapshotChunk(let chunk):
            "\(chunk.isPulled ? "pulled " : "")chunk of \(chunk.position) "
                + "\(chunk.offset)+\(chunk.byteCount)/\(chunk.totalBytes)"
        case .snapshotProgress(let progress): "has chunks below \(progress.offset)"
        case .seal: "seal"
        case .sealAnswer(let last): "sealed, last \(last)"
        case .sealRefusal(let owner): "refused, sealed for \(owner.map(\.description) ?? "nobody")"
        case .pull(let pull): "pull after \(pull.previous)\(pull.needsSnapshot ? " needs snapshot" : "")"
        case .pullAnswer(let answer):
            "pulled after \(answer.previous) last \(answer.last)\(answer.entries.words)"
        case .pullConflict(let hint): "pull conflict, hint \(hint)"
        case .pullPending: "pull pending"
        }
    }
}

extension CampaignReason {
    var words: String {
        switch self {
        case .timeout: ""
        case .transfer: " (transfer)"
        case .obituary(let leader, let term): " (\(leader) died in t\(term))"
        }
    }
}

extension [Entry] {
    var words: String { isEmpty ? "" : " [" + map(\.words).joined(separator: ", ") + "]" }
}

extension Entry {
    var words: String {
        switch kind {
        case .barrier: "\(position) barrier"
        case .command: "\(position) \(String(decoding: payload, as: UTF8.self))"
        case .configuration: "\(position) \(Configuration(decoding: payload)!.words)"
        }
    }
}

extension Configuration {
    var words: String {
        var text = "voters=" + voters.map(\.description).joined(separator: ",")
        if isJoint { text += " outgoing=" + outgoing.map(\.description).joined(separator: ",") }
        if !learners.isEmpty { text += " learners=" + learners.map(\.description).joined(separator: ",") }
        return text
    }
}

extension TestNode {
    /// What a script shows of a node; a line is printed for each part that changed.
    var portrait: [(name: String, value: String)] {
        guard isUp else { return [("is", "down")] }
        let state = replica.hardState
        return [
            ("is", replica.standing),
            ("term", "\(state.term)" + (state.vote.map { " for \($0)" } ?? "")),
            ("last", "\(Position(term: replica.lastTerm, index: replica.lastIndex))"),
            ("commit", "\(replica.commit)"),
            ("configuration", replica.configuration.words),
        ]
    }
}
