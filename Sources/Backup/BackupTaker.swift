import HoldfastClient
import NIOCore
import Placement
import Storage

/// What a backup is made with.
public struct BackupOptions: Sendable {
    public var endpoints: [Endpoint]
    public var token: String?
    /// Shards that are fetched at the same time.
    public var parallel = 4
    /// Of a call that is answered at once.
    public var timeout = TimeAmount.seconds(10)
    /// How long it goes on without getting a single file.
    public var patience = TimeAmount.seconds(120)
    /// The files are sealed under the newest of these; without any they are plain.
    public var keys: DataKeys?

    public init(endpoints: [Endpoint], token: String?) {
        self.endpoints = endpoints
        self.token = token
    }
}

/// Makes one backup: fetches every shard from its owner until the key space is covered, then the placement state, then
/// writes the manifest. Belongs to one task.
public struct BackupTaker: Sendable {
    private let options: BackupOptions
    private let directory: String
    private var nodes: ClusterNodes
    private var cover = BackupCover()
    private let startedAtMs = BackupFiles.nowMs()

    private static let pieceBytes: UInt64 = 1 << 20

    /// The backup goes into a directory of its own in `path`, named by the time.
    public static func take(
        to path: String, _ options: BackupOptions, on eventLoop: any EventLoop
    ) async throws -> (directory: String, manifest: BackupManifest) {
        try BackupFiles.makeDirectory(path)
        var taker = BackupTaker(path, options, on: eventLoop)
        try BackupFiles.makeDirectory(taker.directory)
        try BackupFiles.sync(path)
        do {
            let manifest = try await taker.run()
            await taker.nodes.close()
            return (taker.directory, manifest)
        } catch {
            await taker.nodes.close()
            throw error
        }
    }

    private init(_ path: String, _ options: BackupOptions, on eventLoop: any EventLoop) {
        self.options = options
        directory = path + "/" + BackupFiles.timeName(ms: startedAtMs)
        nodes = ClusterNodes(
            endpoints: options.endpoints, token: options.token, timeout: options.timeout, on: eventLoop)
    }

    private mutating func run() async throws -> BackupManifest {
        guard !BackupFiles.isThere(directory + "/" + BackupManifest.fileName) else {
            throw BackupFailure("\(directory) holds a backup already")
        }
        try await coverKeySpace()
        let placement = try await fetchPlacement()
        try BackupFiles.write(
            try options.keys?.sealedFile(placement.bytes) ?? placement.bytes,
            to: directory + "/" + BackupManifest.placementFile, in: directory)
        let manifest = BackupManifest(
            cluster: placement.state.genesis.clusterID, version: nodes.nodes.first?.version ?? "",
            startedAtMs: startedAtMs, finishedAtMs: BackupFiles.nowMs(),
            placementIndex: placement.state.appliedIndex.rawValue, placementBytes: UInt64(placement.bytes.count),
            placementHash: contentHash(placement.bytes), shards: cover.files)
        try BackupFiles.write(
            manifest.encode(), to: directory + "/" + BackupManifest.fileName, in: directory)
        return manifest
    }

    // MARK: - Shards

    /// Shards may move, split and merge meanwhile: what is missing is asked for again by the newest table.
    private mutating func coverKeySpace() async throws {
        var deadline = NIODeadline.now() + options.patience
        var why = "no owner was found"
        while !cover.isWhole {
            try await nodes.look()
            let (files, fault) = await fetch(missing: try await table())
            if let fault { why = fault }
            for file in files {
                deadline = .now() + options.patience
                for old in cover.add(file) { remove(old.file) }
            }
            guard !cover.isWhole, files.isEmpty else { continue }
            guard NIODeadline.now() < deadline else {
                throw BackupFailure("\(cover.gaps.count) parts of the key space could not be fetched: \(why)")
            }
            try await Task.sleep(nanoseconds: 500_000_000)
        }
    }

    private func remove(_ name: String) { BackupFiles.remove(directory + "/" + name) }

    private struct TableRow {
        var shard: UInt32
        var range: StoredRange
        var owner: String?
    }

    /// The shards as the newest table that a node knows has them.
    private func table() async throws -> [TableRow] {
        var last: (any Error)?
        for node in nodes.nodes {
            do {
                let rows = try await node.quick.get("shards")["shards"]?.elements ?? []
                return rows.compactMap { row in
                    guard let shard = row["shard"]?.count.flatMap(UInt32.init(exactly:)),
                        let range = StoredRange(row["range"])
                    else { return nil }
                    return TableRow(shard: shard, range: range, owner: row["owner"]?.text)
                }
            } catch {
                last = error
            }
        }
        throw last ?? BackupFailure("no node says how the key space is divided")
    }

    /// Fetches what meets a gap, a few at a time. What could not be fetched is left for the next round.
    private func fetch(missing rows: [TableRow]) async -> (files: [BackupShard], fault: String?) {
        let gaps = cover.gaps
        let wanted = rows.filter { row in gaps.contains { $0.overlaps(row.range) } }
        var files: [BackupShard] = []
        var fault: String?
        await withTaskGroup(of: Result<BackupShard, BackupFailure>.self) { group in
            var rest = wanted[...]
            for row in rest.prefix(options.parallel) { group.addTask { await fetch(row) } }
            rest = rest.dropFirst(options.parallel)
            for await result in group {
                switch result {
                case .success(let file): files.append(file)
                case .failure(let failure): fault = failure.description
                }
                if let row = rest.popFirst() { group.addTask { await fetch(row) } }
            }
        }
        return (files, fault)
    }

    private func fetch(_ row: TableRow) async -> Result<BackupShard, BackupFailure> {
        guard let node = nodes.node(row.owner) else {
            return .failure(
                BackupFailure(
                    row.owner.map {
                        "shard \(row.shard): its owner \($0) is not among the endpoints, or does not answer"
                    }
                        ?? "shard \(row.shard) has no owner at the moment"))
        }
        do {
            let offer = try await node.patient.post("backup/shards/\(row.shard)", [:])
            guard let id = offer["file"]?.count, let bytes = offer["bytes"]?.count,
                let hash = offer["hash"]?.hash
            else {
                throw BackupFailure("\(node.name) answers in another language")
            }
            let snapshot = try await fetch(id, bytes: bytes, hash: hash, shard: row.shard, from: node)
            _ = try? await node.quick.delete("backup/files/\(id)")
            return .success(BackupShard(snapshot))
        } catch {
            return .failure(BackupFailure("shard \(row.shard) at \(node.name): \(error)"))
        }
    }

    /// Piece by piece, into a file that gets its name when it is whole, durable and as it was promised.
    private func fetch(
        _ id: UInt64, bytes: UInt64, hash: UInt64, shard: UInt32, from node: ClusterNodes.Node
    ) async throws -> VerifiedSnapshot {
        let intake = try SnapshotDirectory(directory, keys: options.keys)
            .intake(title: "shard-\(shard)", byteCount: bytes, hash: hash)
        do {
            while !intake.isComplete {
                let offset = intake.received
                let length = min(Self.pieceBytes, bytes - offset)
                let piece = try await node.quick.getBytes("backup/files/\(id)?offset=\(offset)&length=\(length)")
                guard !piece.isEmpty else { throw BackupFailure("a piece is empty") }
                _ = try intake.append(piece, at: offset)
            }
            let snapshot = try intake.finish()
            try SnapshotReader.checkObjects(try SnapshotFile(path: snapshot.path, keys: options.keys))
            return snapshot
        } catch {
            // Asked for again, it is another file.
            intake.abandon()
            throw error
        }
    }

    // MARK: - The placement state

    /// After the shards: every project whose objects they have is in it.
    private func fetchPlacement() async throws -> (bytes: [UInt8], state: PlacementState) {
        var last: (any Error)?
        for node in nodes.nodes {
            do {
                let bytes = try await node.quick.getBytes("backup/placement")
                return (bytes, try PlacementState.decode(bytes))
            } catch {
                last = error
            }
        }
        throw last ?? BackupFailure("no node gives the placement state")
    }
}
