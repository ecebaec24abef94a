import ObjectRuntime
import Placement
import Raft

/// Seats: how many sockets an object has on all nodes is known to its owner alone, so every socket waits
/// for the owner's word, and many that come together wait for one word.
extension SocketHub {
    /// The owner's word: connects sockets in the order in which they came, and refuses those for which there
    /// is no seat.
    mutating func seat(_ feed: Feed, _ granted: UInt64, nowMs: UInt64) {
        feed.seats = granted
        let asked = feed.seatRequest
        var taken: UInt64 = 0
        var waiting: [Session] = []
        for session in feed.sessions where !session.isGone && !session.isRefused {
            if session.phase == .opening { waiting.append(session) } else { taken += 1 }
        }
        for session in waiting where taken < granted {
            connect(session, nowMs: nowMs)
            taken += 1
        }
        let unseated = waiting.filter { $0.phase == .opening && !$0.isRefused }
        if granted < asked.wanted {
            for session in unseated { refuseSeat(session) }
        } else if !unseated.isEmpty {
            listen(feed, forSeatsOnly: true)
        }
        if taken < granted { feedsWithSeatsLeft.append(feed.address.number) }
    }

    private mutating func refuseSeat(_ session: Session) {
        counters.quotaRefusals["object_sockets", default: 0] += 1
        deliver(FrameRendering.error(SocketClosing.fullObject.reason), to: session)
        end(session, .fullObject)
    }

    /// Tells owners of sockets that are gone. A request under way says it all by itself, later.
    mutating func giveSeatsBack() {
        let numbers = feedsWithSeatsLeft
        feedsWithSeatsLeft = []
        for number in numbers {
            guard let feed = feeds[number], !feed.isListening, feed.epoch > .zero else { continue }
            let request = feed.nextSeatRequest()
            guard request.held < feed.seats else { continue }
            feed.seats = request.held
            tellSeats(feed, request)
        }
    }

    private mutating func tellSeats(_ feed: Feed, _ request: SeatRequest) {
        guard let record = view?.state?.table.shard(forKey: feed.object.key.rawValue), let owner = record.owner else {
            return
        }
        messages.append(
            (
                owner.node,
                .feedSeats(
                    FeedSeats(shard: record.shard, object: feed.object, feed: feed.address, seats: request))
            ))
    }

    /// What was said over the link before may be lost.
    mutating func linkUp(_ node: NodeID) {
        guard let state = view?.state else { return }
        for number in feeds.keys.sorted() {
            guard let feed = feeds[number], !feed.isListening, feed.epoch > .zero,
                state.table.shard(forKey: feed.object.key.rawValue).owner?.node == node
            else { continue }
            tellSeats(feed, feed.nextSeatRequest())
        }
    }
}
