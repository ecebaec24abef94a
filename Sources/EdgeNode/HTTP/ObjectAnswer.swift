import Cluster
import ObjectRuntime

// From the owner's answer to the HTTP answer.

extension HTTPResponse {
    init(_ answer: ClientAnswer) {
        switch answer.reply {
        case .json(let body): self = .json(body)
        // A hearing goes to edges, never to a client.
        case .noContent, .hearing: self = .empty(204)
        case .absent: self = .empty(404)
        case .refused(let refusal):
            self = HTTPFault(refusal, applied: answer.applied, retryAfterMs: answer.retryAfterMs).response
        }
        // Epoch 0 means that no owner was reached.
        if answer.epoch > 0 {
            position = HistoryPosition(
                epoch: answer.epoch, index: answer.index, owner: answer.owner, isReplay: answer.replayed)
        }
    }
}

extension HTTPFault {
    init(_ refusal: Refusal, applied: Applied, retryAfterMs: UInt64? = nil) {
        // Clients repeat a 5xx blindly, so one leaves only when nothing was applied.
        guard refusal.status < 500 || applied == .no else {
            self = .unknownOutcome
            return
        }
        self.init(
            status: refusal.status, name: refusal.name, code: refusal.code, message: refusal.message,
            applied: applied.name, retryAfterMs: retryAfterMs)
    }
}
