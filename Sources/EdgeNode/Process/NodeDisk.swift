import Binary
import Cluster
import Logging
import Storage
import StoreBinding

/// A node's data directory with everything in it, opened and looked through.
struct NodeDisk {
    let directory: DataDirectory
    let journal: Journal
    let store: NodeStore
    let recovered: RecoveredReplicas

    /// How a disk is opened: what a start is told, and what tests make smaller.
    struct Opening {
        var path: String
        var name: String
        var onDamage = NodeConfiguration.OnDamage.rejoin
        /// Members by whose addresses a node without its data can come back.
        var join: [String] = []
        var ownPeerAddress: String
        var journal = JournalOptions()
        /// Where the journal's segments are copied; nil: nowhere.
        var archiveDirectory: String?
        var archiveIntervalS = 60
        var space: SpaceWatch
        var wallMs: UInt64 = SystemClocks.wallMs()
    }

    /// Opens the directory. If it is damaged in a way that makes all its logs uncertain, sets it aside and opens
    /// an empty one: a new identity, which joins (O9).
    static func open(_ opening: Opening, logger: Logger) throws -> NodeDisk {
        if try DataDirectory.finishSettingAside(path: opening.path) {
            logger.critical("a damaged data directory was set aside by a process that ended in the middle of it")
        }
        do {
            return try openAsItIs(opening, logger: logger)
        } catch {
            guard let damage = damage(error) else { throw error }
            try setAside(opening, because: damage, logger: logger)
            return try openAsItIs(opening, logger: logger)
        }
    }

    private static func openAsItIs(_ opening: Opening, logger: Logger) throws -> NodeDisk {
        let directory = try DataDirectory.open(
            path: opening.path, name: opening.name, newNode: SystemRandom.number() | 1)
        let (journal, logs) = try openJournal(directory, opening)
        try check(logs, against: directory)
        let store = try NodeStore.open(
            directory: directory.path, keys: opening.journal.keys, space: opening.space, logger: logger)
        settleRejoin(directory)
        return NodeDisk(
            directory: directory, journal: journal, store: store,
            recovered: RecoveredReplicas(logs: logs, stored: store.found, damaged: store.damaged))
    }

    private static func openJournal(
        _ directory: DataDirectory, _ opening: Opening
    ) throws -> (Journal, RecoveredLogs) {
        var recovered = RecoveredLogs()
        var options = opening.journal
        if let path = opening.archiveDirectory {
            var archive = JournalArchive(
                directory: path, node: directory.identity.node, cluster: directory.identity.cluster)
            archive.intervalMs = opening.archiveIntervalS * 1_000
            options.archive = archive
        }
        let journal = try Journal.open(
            directory: directory.journalDirectory, options: options, onSpace: opening.space.journalHas
        ) { record in
            try recovered.visit(LogRecord(record))
        }
        do throws(DecodingFailure) {
            try recovered.finish()
        } catch {
            throw DiskDamage("the journal has a hole: \(error)", place: directory.journalDirectory)
        }
        return (journal, recovered)
    }

    private static func check(_ recovered: RecoveredLogs, against directory: DataDirectory) throws {
        let cluster = directory.identity.cluster
        guard let genesis = recovered.genesis else {
            guard cluster == 0 else {
                throw DiskDamage(
                    "the journal holds nothing of cluster \(cluster), to which this directory belongs",
                    place: directory.journalDirectory)
            }
            return
        }
        if cluster == 0 {
            try directory.join(cluster: genesis.clusterID)
        } else if cluster != genesis.clusterID {
            throw StartFailure(
                "the journal in \(directory.journalDirectory) is of cluster \(genesis.clusterID), and its directory "
                    + "belongs to cluster \(cluster). Nothing was changed. Put the right journal back.")
        }
    }

    // MARK: - Damage

    /// What makes every log of this node uncertain, so that it may not answer in its old name (O9). Anything else
    /// that keeps a node from starting leaves the directory as it is.
    private static func damage(_ error: any Error) -> DiskDamage? {
        switch error {
        case let error as DiskDamage: error
        case let error as JournalError where error.kind == .damaged: DiskDamage(error.what, place: error.place)
        case let error as DataDirectoryError where error.kind == .diskLost || error.kind == .damaged:
            DiskDamage(error.what, place: error.place)
        default: nil
        }
    }

    private static func setAside(_ opening: Opening, because damage: DiskDamage, logger: Logger) throws {
        guard opening.onDamage == .rejoin else {
            throw StartFailure(
                "\(damage). Nothing was changed, as on-damage = stop says. Move the directory away and start the "
                    + "node with an empty one, so that it joins as a new replica.")
        }
        var peers = PeerFile(directory: opening.path)
            ?? PeerFile(directory: opening.path, .rejoin) ?? PeerFile(clusterID: 0, node: 1, addresses: [])
        peers.addresses = peers.addresses.filter { $0 != opening.ownPeerAddress }
        peers.addresses += opening.join.filter { !peers.addresses.contains($0) && $0 != opening.ownPeerAddress }
        guard !peers.addresses.isEmpty else {
            throw StartFailure(
                "\(damage). Nothing was changed: no other node is known by which this one could join again, so "
                    + "what is here may be all there is. Keep the directory; to join by a member, name it with join.")
        }
        // Before anything moves: from then on this node may join, and never form a cluster of its own.
        guard peers.write(to: opening.path, .rejoin) else {
            throw StartFailure("\(damage). Nothing was changed: \(opening.path)/rejoin cannot be written.")
        }
        let target = try DataDirectory.setAside(
            path: opening.path, wallMs: opening.wallMs, because: damage.description)
        logger.critical(
            "this node's data is damaged; all of it was set aside, and the node joins again as a new one",
            metadata: [
                "because": "\(damage)", "kept": "\(target)",
                "todo": "delete it when the cluster is healthy; look into the kernel's log for the disk",
            ])
    }

    /// The rejoin file is over once the directory belongs to a cluster again. Until then the parent must not bury
    /// the former identity for the new one.
    private static func settleRejoin(_ directory: DataDirectory) {
        guard var peers = PeerFile(directory: directory.path, .rejoin) else { return }
        if directory.identity.cluster != 0 { return PeerFile.removeRejoin(from: directory.path) }
        peers.node = directory.identity.node
        peers.write(to: directory.path)
    }
}

/// Something of a data directory is gone or changed, and with it the certainty of every log in it.
struct DiskDamage: Error, CustomStringConvertible {
    let what: String
    let place: String

    init(_ what: String, place: String) {
        self.what = what
        self.place = place
    }

    var description: String { "\(what) (\(place))" }
}
