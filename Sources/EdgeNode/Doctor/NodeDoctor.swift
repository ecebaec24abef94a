import Cluster
import Glibc
import Placement
import Storage

/// Looks at everything that a node keeps, running or not. Reads only, locks nothing, starts nothing.
public enum NodeDoctor {
    /// - Parameter tlsDirectory: else what the node has noted when it was started.
    /// - Parameter keys: of what is encrypted.
    public static func examine(
        dataDirectory path: String, tlsDirectory: String? = nil, keys: DataKeys? = nil
    ) -> DoctorReport {
        examine(dataDirectory: path, tlsDirectory: tlsDirectory, keys: keys, nowMs: Int64(SystemClocks.wallMs()))
    }

    static func examine(
        dataDirectory path: String, tlsDirectory: String?, keys: DataKeys? = nil, nowMs: Int64
    ) -> DoctorReport {
        var report = DoctorReport(directory: path)
        guard access(path, R_OK | X_OK) == 0 else {
            report.add(
                .init(
                    "directory", .damaged, at: path, "it cannot be read: \(String(cString: strerror(errno)))",
                    remedy: "Give the data directory of a node, and look at it as the user who runs the node."))
            return report
        }
        report.process = DataDirectory.holder(path: path)
        examineIdentity(&report)
        examineJournal(&report)
        examineStore(keys, &report)
        examineLeftovers(&report)
        examineSpace(&report)
        examineCertificates(tlsDirectory, nowMs: nowMs, &report)
        return report
    }

    // MARK: - Identity

    private static func examineIdentity(_ report: inout DoctorReport) {
        let place = report.directory + "/identity"
        do throws(DataDirectoryError) {
            guard let identity = try DataDirectory.readIdentity(path: report.directory) else {
                return report.add(missingIdentity(report.directory, place))
            }
            let cluster = identity.cluster == 0 ? "no cluster yet" : "cluster \(hexadecimal(identity.cluster))"
            report.add(
                .init(
                    "identity", .sound, at: place, "node \(identity.name), id \(hexadecimal(identity.node)), of \(cluster)"))
            if identity.cluster != 0, !hasJournal(report.directory) {
                report.add(
                    .init(
                        "journal", .damaged, at: report.directory + "/journal",
                        "the node is part of a cluster, and its journal is gone",
                        remedy: "Put it back if it was moved; else start the node with an empty directory, as a new one."))
            }
        } catch {
            report.add(.init("identity", .damaged, at: error.place, error.what, remedy: error.remedy))
        }
    }

    private static func missingIdentity(_ directory: String, _ place: String) -> DoctorReport.Finding {
        guard hasJournal(directory) else {
            return .init(
                "identity", .note, at: place, "there is none: no node has ever used this directory",
                remedy: "If one should have, look for its data directory elsewhere.")
        }
        return .init(
            "identity", .damaged, at: place, "there is a journal but no identity",
            remedy: "Put the file back, or start the node with an empty directory, as a new one.")
    }

    private static func hasJournal(_ directory: String) -> Bool {
        directoryEntries(directory + "/journal").contains { $0.hasSuffix(".segment") }
    }

    // MARK: - Journal

    private static func examineJournal(_ report: inout DoctorReport) {
        let place = report.directory + "/journal"
        guard hasJournal(report.directory) else { return }
        do throws(JournalError) {
            let journal = try inspectJournal(place, isRunning: report.process != nil)
            if let damage = journal.damage {
                let risk = journal.groupsAtRisk.map { GroupID(rawValue: $0) }.map(name).joined(separator: ", ")
                let what = damage.what + (risk.isEmpty ? "" : "; it may concern \(risk)")
                report.add(.init("journal", .damaged, at: damage.place, what, remedy: damage.remedy))
            } else {
                report.add(.init("journal", .sound, at: place, text(journal)))
            }
            let leftover = journal.segments.filter(\.isLeftover).count
            if leftover > 0 {
                report.add(
                    .init("journal", .note, at: place, "\(leftover) segments are left over; the next start removes them"))
            }
        } catch {
            report.add(.init("journal", .damaged, at: error.place, error.what, remedy: error.remedy))
        }
    }

    /// Beside a running node a batch that is being written may look damaged, but not the same way again and again.
    private static func inspectJournal(_ place: String, isRunning: Bool) throws(JournalError) -> JournalInspection {
        var last = try JournalInspector.inspect(directory: place)
        for _ in 0..<3 where isRunning && last.damage != nil {
            let next = try JournalInspector.inspect(directory: place)
            if next.damage == last.damage { return next }
            last = next
        }
        return last
    }

    private static func text(_ journal: JournalInspection) -> String {
        let live = journal.segments.filter { !$0.isLeftover }
        let bytes = live.reduce(0) { $0 + $1.bytes }
        var text = "\(live.count) segments, \(bytes) bytes, \(journal.contents.records) records of "
            + "\(journal.groups.count) logs"
        if journal.contents.droppedTornBatch { text += "; the last write was cut short, and had not been acknowledged" }
        return text
    }

    private static func name(_ group: GroupID) -> String {
        if let shard = group.shard { return "shard \(shard)" }
        return group == .placement ? "the placement group" : "the node's own records"
    }

    // MARK: - Store

    private static func examineStore(_ keys: DataKeys?, _ report: inout DoctorReport) {
        let place = report.directory + "/store/data.mdb"
        let directory = report.directory + "/store"
        guard let found = StoreInspector.inspectBesideWriter(directory: directory, keys: keys) else {
            return report.add(
                .init(
                    "store", .changing, at: place, "the node wrote to it each time it was looked at",
                    remedy: "Ask again when less is written, or when the node is stopped."))
        }
        switch found {
        case .sound: report.add(.init("store", .sound, at: place, "every record and every page is as it was written"))
        case .missing:
            report.add(
                .init(
                    "store", .note, at: place, "there is none",
                    remedy: "Before a node's first start that is as it should be. Later its shards are fetched anew."))
        case .damagedShards(let damages):
            for damage in damages {
                report.add(
                    .init(
                        "store", .damaged, at: place, "shard \(ShardID(rawValue: damage.shard)): \(damage.what)",
                        remedy: "Start the node: it fetches the shard anew from the other replicas."))
            }
        case .damaged(let error), .otherVersion(let error):
            report.add(.init("store", .damaged, at: error.place, error.what, remedy: error.remedy + "."))
        }
    }
}
