import Placement
import Raft
import Testing

@testable import Cluster

/// Messages wait for the records on which they rest (O3, O12).
struct PersistQueueTests {
    private func record(_ index: UInt64) -> LogRecord {
        LogRecord(kind: 1, group: .placement, term: 1, index: index, payload: [])
    }

    private func message(_ nonce: UInt64) -> Outgoing {
        Outgoing(to: NodeID(rawValue: 2), message: .reportRequest(nonce))
    }

    private func numbers(_ batch: PersistQueue.Batch?) -> [UInt64] {
        (batch?.messages ?? []).compactMap {
            if case .reportRequest(let number) = $0.message { number } else { nil }
        }
    }

    @Test func batchesKeepTheirOrderAndMessagesLeaveWithTheirOwn() throws {
        var queue = PersistQueue()
        var ids: [BatchID] = []
        for number in 1...3 {
            queue.add(record(UInt64(number)))
            queue.add(message: message(UInt64(number)))
            let (batch, released) = queue.close()
            #expect(released == nil)
            #expect(batch?.records.map(\.index) == [UInt64(number)])
            ids.append(try #require(batch).id)
        }
        #expect(Set(ids).count == 3)
        for number in 1...3 { #expect(numbers(queue.persisted(ids[number - 1])) == [UInt64(number)]) }
    }

    @Test func messagesWithoutRecordsWaitForWhatIsOutstanding() throws {
        var queue = PersistQueue()
        queue.add(record(1))
        let id = try #require(queue.close().batch).id
        queue.add(message: message(1))
        queue.add(mark: PersistQueue.Mark(group: .placement, position: .zero))
        let (batch, released) = queue.close()
        #expect(batch == nil && released == nil)
        let durable = queue.persisted(id)
        #expect(numbers(durable) == [1])
        #expect(durable.marks.count == 1)
    }

    @Test func messagesWithoutRecordsLeaveAtOnceIfNothingIsOutstanding() {
        var queue = PersistQueue()
        queue.add(message: message(1))
        let (batch, released) = queue.close()
        #expect(batch == nil)
        #expect(numbers(released) == [1])
        let again = queue.close()
        #expect(again.batch == nil && again.released == nil, "once")
    }
}
