/// Events by (time, order of scheduling): a binary heap of small keys; the events themselves lie in
/// slots, so that moving keys about stays cheap.
struct EventQueue<Event> {
    private struct Key {
        var timeNs: UInt64
        var order: UInt64
        var slot: Int32

        func comes(before other: Key) -> Bool {
            timeNs != other.timeNs ? timeNs < other.timeNs : order < other.order
        }
    }

    private var heap: [Key] = []
    private var slots: [Event?] = []
    private var freeSlots: [Int32] = []
    private var nextOrder: UInt64 = 0

    var count: Int { heap.count }

    mutating func add(_ event: Event, atNs timeNs: UInt64) {
        let slot: Int32
        if let free = freeSlots.popLast() {
            slot = free
            slots[Int(slot)] = event
        } else {
            slot = Int32(slots.count)
            slots.append(event)
        }
        heap.append(Key(timeNs: timeNs, order: nextOrder, slot: slot))
        nextOrder += 1
        siftUp(from: heap.count - 1)
    }

    var nextTimeNs: UInt64? { heap.first?.timeNs }

    mutating func next() -> (timeNs: UInt64, event: Event)? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        guard let event = slots[Int(top.slot)] else { preconditionFailure("a queued event has its slot") }
        slots[Int(top.slot)] = nil
        freeSlots.append(top.slot)
        return (top.timeNs, event)
    }

    private mutating func siftUp(from start: Int) {
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard heap[position].comes(before: heap[parent]) else { return }
            heap.swapAt(position, parent)
            position = parent
        }
    }

    private mutating func siftDown() {
        var position = 0
        while true {
            var least = position
            for child in [2 * position + 1, 2 * position + 2]
            where child < heap.count && heap[child].comes(before: heap[least]) {
                least = child
            }
            if least == position { return }
            heap.swapAt(position, least)
            position = least
        }
    }
}
