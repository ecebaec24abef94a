/// One kind of harm.
protocol Nemesis {
    /// Does it once, undoes it, and writes it down in the scene.
    func strike(_ scene: Scene) async throws
}

/// The nemeses by their names.
enum NemesisKind: String, CaseIterable {
    case none
    case kill
    case killParent = "kill-parent"
    case pause
    case partitionOwner = "partition-owner"
    case partitionLeader = "partition-leader"
    case partitionRing = "partition-ring"
    case partitionOneWay = "partition-one-way"
    case partitionPair = "partition-pair"
    case delay
    case loss
    case slowDisk = "slow-disk"
    case fullDisk = "full-disk"
    case clock
    case restartAll = "restart-all"
    case rolling
    case members
    case moves

    func make() -> any Nemesis {
        switch self {
        case .none: Calm()
        case .kill: KillProcess(withParent: false)
        case .killParent: KillProcess(withParent: true)
        case .pause: PauseProcess()
        case .partitionOwner: Partition(kind: .ownerAlone)
        case .partitionLeader: Partition(kind: .leaderAlone)
        case .partitionRing: Partition(kind: .majorityRing)
        case .partitionOneWay: Partition(kind: .oneWay)
        case .partitionPair: Partition(kind: .ownerFromLeader)
        case .delay: BadWeather(losesPackets: false)
        case .loss: BadWeather(losesPackets: true)
        case .slowDisk: BadDisk(isFull: false)
        case .fullDisk: BadDisk(isFull: true)
        case .clock: ClockJump()
        case .restartAll: RestartEverything()
        case .rolling: RollingRestart()
        case .members: MemberChurn()
        case .moves: ShardMoves()
        }
    }
}
