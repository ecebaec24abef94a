import Binary
import Cluster
import NIOHTTP1
import Placement
import Raft

// What a backup fetches: the placement state, and files of the shards that this node owns.

extension AdminCall {
    func backup(_ path: [String]) throws(HTTPFault) {
        switch (path.count, path.dropFirst().first) {
        case (1, nil):
            try only(.GET)
            try backupStart()
        case (2, "placement"):
            try only(.GET)
            try backupPlacement()
        case (3, "shards"):
            try only(.POST)
            guard let number = UInt64(digits: path[2]), let shard = UInt32(exactly: number) else {
                throw .unknownRoute
            }
            notedOnce("backup.shards", "") { makeBackup(of: ShardID(rawValue: shard)) }
        case (3, "files"):
            guard let id = UInt64(digits: path[2]) else { throw .unknownRoute }
            try backupFile(id)
        default: throw .unknownRoute
        }
    }

    /// Who answers here, so that whoever asks can find the owners.
    private func backupStart() throws(HTTPFault) {
        let state = try state()
        let view = edge.gateway.view
        answer(
            .json(
                JSONOutput.object { page in
                    page.member("node", view.nodeName)
                    page.member("cluster", hexadecimal(state.genesis.clusterID))
                    page.member("version", edge.settings.version)
                }))
    }

    /// The state after a command that changes nothing: it holds all that was acknowledged before.
    private func backupPlacement() throws(HTTPFault) {
        _ = try state()
        propose(.appoint(candidates: [])) {
            guard let state = self.edge.gateway.view.state else { return HTTPFault.notFormed.response }
            return HTTPResponse(status: 200, contentType: .bytes, body: state.encode())
        }
    }

    private func makeBackup(of shard: ShardID) {
        edge.gateway.makeBackup(of: shard) { result in
            switch result {
            case .success(let file): self.answer(.json(Self.page(of: file)))
            case .failure(.notOwner): self.answer(HTTPFault.notOwner.response)
            case .failure(.busy):
                self.answer(HTTPFault.unavailable("Too many backups are under way").response)
            case .failure(.failed(let why)):
                self.answer(
                    HTTPFault(
                        status: 507, name: "StorageError", code: "storageError.backup", message: why
                    ).response)
            }
        }
    }

    private static func page(of file: BackupFile) -> [UInt8] {
        let manifest = file.manifest
        return JSONOutput.object { page in
            page.member("file", file.id)
            page.member("shard", manifest.shard)
            page.key("range")
            page.array([manifest.range.start, manifest.range.end]) { $0.value(hexadecimal($1)) }
            page.member("epoch", manifest.term)
            page.member("index", manifest.index)
            page.member("objects", manifest.tally.objectCount)
            page.member("digest", hexadecimal(manifest.tally.digest))
            page.member("bytes", file.byteCount)
            page.member("hash", hexadecimal(file.hash))
        }
    }

    private func backupFile(_ id: UInt64) throws(HTTPFault) {
        switch request.method {
        case .DELETE:
            edge.gateway.dropBackup(id)
            answer(.empty(204))
        case .GET:
            guard let offset = target.parameter("offset").flatMap(UInt64.init(digits:)),
                let count = target.parameter("length").flatMap(UInt64.init(digits:)), count > 0
            else { throw .validation("query", "A file is read by offset and length.") }
            let piece = Int(min(count, UInt64(BackupShelf.pieceBytesMax)))
            edge.gateway.readBackup(id, at: offset, count: piece) { bytes in
                guard let bytes else { return self.answer(HTTPFault.noSuchBackupFile.response) }
                self.answer(HTTPResponse(status: 200, contentType: .bytes, body: bytes))
            }
        default: throw .wrongMethod(allow: "GET, DELETE, OPTIONS")
        }
    }
}

extension HTTPFault {
    fileprivate static let notOwner = HTTPFault(
        status: 409, name: "ConflictError", code: "conflictError.notOwner",
        message: "This node does not own the shard.")
    fileprivate static let noSuchBackupFile = HTTPFault(
        status: 404, name: "NotFoundError", code: "notFoundError.backupFile",
        message: "There is no such file of a backup any more.")
}
