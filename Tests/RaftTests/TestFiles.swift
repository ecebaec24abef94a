@testable import Raft

/// The files of a node and the work on them that is not done yet: what a driver does with snapshots that are
/// files. Nothing happens before `TestNode.work` is called, so everything else may come in between.
struct TestFiles {
    /// Whole and durable: made here, or received and staged.
    var whole: [UInt64: [UInt8]] = [:]
    /// Begun here, with what is needed to go on after a restart.
    var begun: [UInt64: SnapshotPart] = [:]

    /// In memory only: a crash forgets it.
    var making: Snapshot?
    var unread: [Message] = []
    var unwritten: [SnapshotPart] = []

    var hasWork: Bool { making != nil || !unread.isEmpty || !unwritten.isEmpty }

    /// Of what was begun, some bytes happen to be on the disk.
    mutating func crash(keepingBytes kept: Int) {
        making = nil
        unread = []
        unwritten = []
        for (hash, part) in begun where part.data.count > kept { begun[hash]?.data.removeLast(part.data.count - kept) }
    }

    mutating func drop(_ hashes: [UInt64], installed: UInt64?) {
        for hash in hashes {
            unwritten.removeAll { $0.contentHash == hash }
            begun[hash] = nil
            if hash != installed { whole[hash] = nil }
        }
    }

    /// Writes a part. True when the file is whole.
    mutating func write(_ part: SnapshotPart) -> Bool {
        var file = begun[part.contentHash] ?? part
        if part.offset == 0 { file.data = [] }
        precondition(UInt64(file.data.count) == part.offset, "parts come in order and without a gap")
        file.data += part.data
        begun[part.contentHash] = file
        return part.isLast
    }

    /// Verifies a file that is whole and makes it durable.
    mutating func stage(_ hash: UInt64) -> Bool {
        guard let file = begun.removeValue(forKey: hash), SnapshotChunk.hash(file.data) == hash else {
            return false
        }
        whole[hash] = file.data
        return true
    }
}

extension TestNode {
    /// Takes what a `Ready` says about files.
    mutating func takeFiles(of ready: Ready) {
        files.drop(ready.snapshotDropped, installed: disk.snapshot.externalHash)
        files.unwritten += ready.snapshotParts
        guard ready.snapshotWanted else { return }
        precondition(files.making == nil, "the driver is at work and is asked again")
        let data = machine.snapshotData(through: replica.applied)
        let hash = SnapshotChunk.hash(data)
        files.making = replica.makeSnapshot(
            at: replica.applied, content: .external(totalBytes: UInt64(data.count), contentHash: hash))
        files.whole[hash] = data
    }

    /// Does one piece of work on files. `isLost`: it fails.
    mutating func work(isLost: Bool = false) {
        if !files.unwritten.isEmpty { return write(files.unwritten.removeFirst(), isDamaged: isLost) }
        if let snapshot = files.making {
            files.making = nil
            if isLost { replica.snapshotFailed() } else { replica.provideSnapshot(snapshot) }
        } else if !files.unread.isEmpty {
            read(files.unread.removeFirst(), isLost: isLost)
        }
        deleteUnused()
    }

    private mutating func write(_ part: SnapshotPart, isDamaged: Bool) {
        if isDamaged, !part.isLast {
            files.drop([part.contentHash], installed: disk.snapshot.externalHash)
            return replica.snapshotPartWritten(contentHash: part.contentHash, through: nil)
        }
        let isWhole = files.write(part)
        replica.snapshotPartWritten(contentHash: part.contentHash, through: part.end)
        guard isWhole else { return }
        let isIntact = files.stage(part.contentHash) && !isDamaged
        if !isIntact { files.whole[part.contentHash] = nil }
        replica.snapshotStaged(contentHash: part.contentHash, isIntact: isIntact)
    }

    private mutating func read(_ message: Message, isLost: Bool) {
        guard !isLost, let missing = message.missingBytes, let file = files.whole[missing.contentHash] else {
            return
        }
        var filled = message
        let start = Int(missing.offset)
        filled.fill(with: Array(file[start..<start + missing.byteCount]))
        send(filled)
    }

    private mutating func deleteUnused() {
        let used = replica.filesInUse
            + [disk.snapshot.externalHash, files.making?.externalHash, replica.incomingFile].compactMap { $0 }
            + disk.pending.compactMap { $0.snapshot?.externalHash }
        files.whole = files.whole.filter { used.contains($0.key) }
    }

    /// After a restart: goes on with what was begun, if `resumes`; the rest is thrown away.
    mutating func resumeFiles(resumes: Bool) {
        for (hash, part) in files.begun.sorted(by: { $0.key < $1.key }) {
            var point = part
            point.offset = UInt64(part.data.count)
            if !resumes || !replica.resume(point) { files.begun[hash] = nil }
            if point.isWhole, files.begun[hash] != nil {
                replica.snapshotStaged(contentHash: hash, isIntact: files.stage(hash))
            }
        }
        deleteUnused()
    }
}

extension SnapshotPart {
    fileprivate var isWhole: Bool { offset == totalBytes }
}
