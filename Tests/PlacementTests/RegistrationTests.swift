import Placement
import Raft
import Testing

@Suite("Registry (O7)")
struct RegistrationTests {
    @Test("each new run gets the next incarnation of one counter")
    func risingCounter() {
        var machine = Machine()
        #expect(machine.apply(.register(registration(2, nonce: 1))) == .registered(process(2, 1)))
        #expect(machine.apply(.register(registration(1, nonce: 2))) == .registered(process(1, 2)))
        #expect(machine.apply(.register(registration(2, nonce: 3))) == .registered(process(2, 3)))
        #expect(machine.state.newestIncarnation(of: node(2)) == Incarnation(3))
        #expect(machine.state.newestIncarnation(of: node(3)) == nil)
        #expect(machine.state.nodes.map(\.node) == [node(1), node(2)])
    }

    @Test("registering again with the same nonce gives the same incarnation and changes nothing")
    func idempotent() {
        var machine = Machine()
        machine.apply(.register(registration(1, nonce: 1)))
        let registry = machine.state.registry
        var moved = registration(1, nonce: 1)
        moved.peerAddress = "elsewhere:1"
        #expect(machine.apply(.register(moved)) == .registered(process(1, 1)))
        #expect(machine.state.registry == registry)
    }

    @Test("the same nonce on another node is another run")
    func noncePerNode() {
        var machine = Machine()
        machine.apply(.register(registration(1, nonce: 1)))
        #expect(machine.apply(.register(registration(2, nonce: 1))) == .registered(process(2, 2)))
    }

    @Test("registering gives no shard to anybody")
    func appointsNothing() {
        var machine = Machine()
        let table = machine.state.table
        machine.apply(.register(registration(1, nonce: 1)))
        #expect(machine.state.table == table)
    }

    @Test("a process that is not registered yet is not over")
    func unknownIsNotOver() {
        var machine = Machine()
        machine.apply(.register(registration(1, nonce: 1)))
        #expect(!machine.state.registry.isOver(incarnation: 1))
        #expect(!machine.state.registry.isOver(incarnation: 2))
        machine.apply(.fence(process(1, 1), candidates: [], cause: .obituary))
        #expect(machine.state.registry.isOver(incarnation: 1))
    }

    @Test("a new registration is no obituary: the run before keeps its shards")
    func noObituary() {
        var machine = Machine.running()
        let before = machine.owned(by: process(1, 1))
        #expect(machine.apply(.register(registration(1, nonce: 99))) == .registered(process(1, 4)))
        #expect(!machine.state.isFenced(process(1, 1)))
        #expect(machine.owned(by: process(1, 1)) == before)
        #expect(!before.isEmpty)
        #expect(machine.state.registry.record(of: node(1))?.live.map(\.nonce) == [10, 99])
    }

    @Test("several runs of a node live side by side until each is fenced")
    func severalRuns() {
        var machine = Machine.running()
        machine.apply(.register(registration(1, nonce: 98)))
        machine.apply(.register(registration(1, nonce: 99)))
        machine.apply(.fence(process(1, 4), candidates: [], cause: .leaseExpired))
        #expect(!machine.state.isFenced(process(1, 1)))
        #expect(machine.state.isFenced(process(1, 4)))
        #expect(!machine.state.isFenced(process(1, 5)))
        #expect([0, 1, 4, 5, 6].filter { machine.state.registry.isLive(incarnation: $0) } == [1, 5])
        #expect(machine.state.newestIncarnation(of: node(1)) == Incarnation(5))
    }

    @Test("an obituary that comes before the registration bars it")
    func obituaryFirst() {
        var machine = Machine()
        #expect(!machine.state.registry.isBuried(node: node(1), nonce: 5))
        #expect(machine.apply(.bury(node: node(1), nonce: 5, candidates: [])) == .barred)
        #expect(machine.state.registry.isBuried(node: node(1), nonce: 5))
        #expect(machine.apply(.register(registration(1, nonce: 5))) == .refused(.runIsOver))
        #expect(machine.apply(.register(registration(1, nonce: 6))) == .registered(process(1, 1)))
        #expect(machine.apply(.register(registration(1, nonce: 5))) == .refused(.runIsOver))
    }

    @Test("an obituary for an unregistered run of a registered node bars that run only")
    func obituaryBetweenRuns() {
        var machine = Machine.running()
        #expect(machine.apply(.bury(node: node(1), nonce: 11, candidates: [])) == .barred)
        #expect(!machine.state.isFenced(process(1, 1)))
        #expect(machine.apply(.register(registration(1, nonce: 11))) == .refused(.runIsOver))
        #expect(machine.apply(.register(registration(1, nonce: 12))) == .registered(process(1, 4)))
    }

    @Test("a fenced run cannot register again")
    func fencedNonce() {
        var machine = Machine.running()
        machine.apply(.fence(process(1, 1), candidates: [], cause: .leaseExpired))
        #expect(machine.apply(.register(registration(1, nonce: 10))) == .refused(.runIsOver))
        machine.apply(.register(registration(1, nonce: 11)))
        #expect(machine.apply(.register(registration(1, nonce: 10))) == .refused(.runIsOver))
    }

    @Test("an obituary names the run of its nonce, also after the next run has registered")
    func lateObituary() {
        var machine = Machine.running()
        machine.apply(.register(registration(1, nonce: 11)))
        let result = machine.apply(.bury(node: node(1), nonce: 10, candidates: machine.everybody))
        #expect(result == .fenced(process(1, 1), shards: 4))
        #expect(machine.state.isFenced(process(1, 1)))
        #expect(!machine.state.isFenced(process(1, 4)))
        #expect(machine.state.registry.isBuried(node: node(1), nonce: 10))
        #expect(!machine.state.registry.isBuried(node: node(1), nonce: 11))
        #expect(machine.apply(.bury(node: node(1), nonce: 10, candidates: [])) == .barred)
    }

    @Test("memory of obituaries is bounded, for registered nodes and for strangers")
    func boundedMemory() {
        var machine = Machine()
        machine.apply(.register(registration(1, nonce: 0)))
        for nonce in 1...500 {
            machine.apply(.bury(node: node(1), nonce: UInt64(nonce), candidates: []))
            machine.apply(.bury(node: node(nonce + 5), nonce: 1, candidates: []))
        }
        #expect(machine.state.registry.record(of: node(1))?.graves.count == PlacementLimits.gravesPerNode)
        #expect(machine.apply(.register(registration(1, nonce: 500))) == .refused(.runIsOver))
        #expect(machine.apply(.register(registration(505, nonce: 1))) == .refused(.runIsOver))
        #expect(machine.state.encode().count < 3_000)
    }

    @Test("runs that nobody fences are bounded per node")
    func boundedRuns() {
        var machine = Machine()
        for nonce in 0...PlacementLimits.unfencedRuns {
            #expect(machine.apply(.register(registration(1, nonce: nonce))) != .refused(.limitReached))
        }
        #expect(machine.apply(.register(registration(1, nonce: 1_000))) == .refused(.limitReached))
        machine.apply(.bury(node: node(1), nonce: 0, candidates: []))
        #expect(machine.apply(.register(registration(1, nonce: 1_000))) != .refused(.limitReached))
    }

    @Test("names and addresses that could do harm are refused")
    func badNames() {
        var machine = Machine()
        for name in ["", "a b", "../x", "-x", String(repeating: "a", count: 65), "ü"] {
            var bad = registration(1, nonce: 1)
            bad.name = name
            #expect(machine.apply(.register(bad)) == .refused(.invalidValue))
        }
        var bad = registration(1, nonce: 1)
        bad.clientURL = ""
        #expect(machine.apply(.register(bad)) == .refused(.invalidValue))
    }

    @Test("a node is named by its registration, and by the genesis record before it")
    func nodeNames() {
        var machine = Machine()
        #expect(machine.state.nodeName(node(1)) == "n1")
        var renamed = registration(1, nonce: 1)
        renamed.name = "frankfurt-1"
        machine.apply(.register(renamed))
        #expect(machine.state.nodeName(node(1)) == "frankfurt-1")
        #expect(machine.state.nodeName(node(9)) == nil)
        var replacement = registration(8, nonce: 1)
        replacement.name = "frankfurt-1"
        machine.apply(.fence(process(1, 1), candidates: [], cause: .leaseExpired))
        machine.apply(.register(replacement))
        #expect(machine.state.registry.record(named: "frankfurt-1")?.node == node(8))
    }
}
