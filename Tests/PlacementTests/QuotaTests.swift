import Binary
import Placement
import Testing

@Suite("Quotas and limits")
struct QuotaTests {
    private func withDemo() -> Machine {
        var machine = Machine()
        machine.apply(.createProject(id: "demo", createdAtMs: 1))
        return machine
    }

    private let some = Quota(objects: 5, sockets: 0, operationsPerSecond: 1_000_000_000)

    @Test("a quota is kept with its project, replaced, and taken away")
    func setting() {
        var machine = withDemo()
        #expect(machine.state.tenants.limitedProjects.isEmpty)
        #expect(machine.apply(.setQuota(project: "demo", some)) == .done)
        #expect(machine.apply(.setQuota(project: "demo", some)) == .done)
        #expect(machine.state.tenants.project("demo")?.quota == some)
        #expect(machine.state.tenants.limitedProjects.map(\.project) == ["demo"])
        #expect(machine.apply(.createProject(id: "demo", createdAtMs: 2)) == .done)
        #expect(machine.state.tenants.project("demo")?.quota == some)
        #expect(machine.apply(.setQuota(project: "demo", .unlimited)) == .done)
        #expect(machine.state.tenants.limitedProjects.isEmpty)
    }

    @Test("quotas of no project, or beyond what can be counted, are refused")
    func refused() {
        var machine = withDemo()
        #expect(machine.apply(.setQuota(project: "shop", some)) == .refused(.unknownProject))
        let most = PlacementLimits.quotaMax
        for quota in [Quota(objects: most), Quota(bytes: most), Quota(sockets: most)] {
            #expect(machine.apply(.setQuota(project: "demo", quota)) == .done)
        }
        let wrong = [
            Quota(objects: most + 1), Quota(bytes: most + 1), Quota(sockets: most + 1),
            Quota(operationsPerSecond: 1_000_000_001),
        ]
        for quota in wrong {
            #expect(machine.apply(.setQuota(project: "demo", quota)) == .refused(.invalidValue), "\(quota)")
        }
        #expect(machine.state.tenants.project("demo")?.quota == Quota(sockets: most))
    }

    @Test("limits of objects stay within their ranges")
    func limits() {
        var machine = Machine()
        let largest = ObjectLimits(
            valueBytes: 1 << 20, itemsPerObject: 100_000, objectBytes: 64 << 20, socketsPerObject: 100_000)
        let smallest = ObjectLimits(valueBytes: 1, itemsPerObject: 1, objectBytes: 1, socketsPerObject: 0)
        for limits in [largest, smallest, .standard] {
            #expect(machine.apply(.setObjectLimits(limits)) == .done)
            #expect(machine.state.tenants.objectLimits == limits)
        }
        let wrong = [
            ObjectLimits(valueBytes: 1 << 20 + 1), ObjectLimits(valueBytes: 0), ObjectLimits(itemsPerObject: 0),
            ObjectLimits(itemsPerObject: 100_001), ObjectLimits(objectBytes: 64 << 20 + 1),
            ObjectLimits(objectBytes: 0), ObjectLimits(socketsPerObject: 100_001),
        ]
        for limits in wrong {
            #expect(machine.apply(.setObjectLimits(limits)) == .refused(.invalidValue), "\(limits)")
        }
        #expect(machine.state.tenants.objectLimits == .standard)
    }

    @Test("quotas and limits come back from a snapshot")
    func snapshots() throws {
        var machine = withDemo()
        machine.apply(.createKey(apiKey("k1")))
        machine.apply(.setQuota(project: "demo", some))
        machine.apply(.setObjectLimits(ObjectLimits(socketsPerObject: 7)))
        #expect(try PlacementState.decode(machine.state.encode()) == machine.state)
    }

    @Test("bytes of another version are refused by name")
    func otherVersion() {
        let bytes = [4] + withDemo().state.encode().dropFirst()
        #expect(throws: DecodingFailure("a placement snapshot has version 4, not 1 to 3")) {
            try PlacementState.decode(bytes)
        }
    }
}
