/// Cuts between nodes, of five shapes. Clients still reach every node.
struct Partition: Nemesis {
    enum Kind {
        case ownerAlone, leaderAlone, majorityRing, oneWay, ownerFromLeader
    }

    let kind: Kind

    func strike(_ scene: Scene) async throws {
        let (what, touched, table) = await shape(scene)
        try await scene.fault(what, touching: touched) {
            try await scene.bed.proxy.set(table)
            try await scene.last()
        } heal: {
            try await scene.bed.proxy.set(.fair)
        }
    }

    /// Where the others still have a majority and each other, nothing may fail at them.
    private func shape(_ scene: Scene) async -> (String, touched: [Int], LinkTable) {
        let count = scene.bed.nodes
        switch kind {
        case .ownerAlone:
            let owner = await scene.owner()
            return ("\(scene.name(owner)), an owner, alone", [owner], .alone(owner, of: count))
        case .leaderAlone:
            let leader = await scene.leader()
            return ("\(scene.name(leader)), the leader, alone", [leader], .alone(leader, of: count))
        case .majorityRing:
            let order = shuffled(scene)
            return ("a ring: \(order.map(scene.name).joined(separator: " "))", scene.all, .majorityRing(order))
        case .oneWay:
            let owner = await scene.owner()
            let isMute = scene.generator.chance(0.5)
            let what = "\(scene.name(owner)), an owner, " + (isMute ? "is not heard" : "hears nobody")
            return (what, [owner], .oneWay(owner, of: count, isMute: isMute))
        case .ownerFromLeader: return await ownerFromLeader(scene)
        }
    }

    /// If they are one, the leader is cut from any other node.
    private func ownerFromLeader(_ scene: Scene) async -> (String, touched: [Int], LinkTable) {
        let leader = await scene.leader()
        var owner = await scene.owner()
        if owner == leader { owner = scene.generator.pick(scene.all.filter { $0 != leader }) }
        let what = "\(scene.name(owner)) cut from \(scene.name(leader)), the leader"
        return (what, scene.all, .between(owner, leader))
    }

    private func shuffled(_ scene: Scene) -> [Int] {
        var order = scene.all
        for position in order.indices.dropLast() {
            order.swapAt(position, scene.generator.within(position...order.count - 1))
        }
        return order
    }
}
