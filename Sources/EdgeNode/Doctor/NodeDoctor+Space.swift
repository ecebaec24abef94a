import Glibc

/// Room on the disk, and what lies about.
extension NodeDoctor {
    /// A segment of the journal, a checkpoint and a snapshot at once, with room to spare.
    private static let wantedBytes: UInt64 = 1 << 30

    static func examineSpace(_ report: inout DoctorReport) {
        var status = statvfs()
        guard statvfs(report.directory, &status) == 0 else { return }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        let total = UInt64(status.f_blocks) * UInt64(status.f_frsize)
        let text = "\(free) of \(total) bytes are free"
        if free >= wantedBytes {
            report.add(.init("space", .sound, at: report.directory, text))
        } else {
            report.add(
                .init(
                    "space", .warning, at: report.directory, text,
                    remedy: "Make room: below \(wantedBytes) bytes the node may soon refuse writes."))
        }
    }

    static func examineLeftovers(_ report: inout DoctorReport) {
        let directory = report.directory
        for name in directoryEntries(directory).sorted() {
            if name.hasPrefix("store.damaged-") {
                report.add(
                    .init(
                        "leftovers", .note, at: directory + "/" + name, "a damaged store that was set aside",
                        remedy: "Remove it when nobody wants to look at it any more."))
            } else if name.hasPrefix("cold-") {
                report.add(
                    .init(
                        "leftovers", .note, at: directory + "/" + name, "version 0.2.0 used it; this one does not",
                        remedy: "Remove it when you will not go back to that version."))
            } else if name == "identity.new" {
                report.add(
                    .init("leftovers", .note, at: directory + "/" + name, "a write of the identity that was cut short"))
            }
        }
        examineSnapshots(&report)
    }

    /// A running node has them while it sends and receives.
    private static func examineSnapshots(_ report: inout DoctorReport) {
        guard report.process == nil else { return }
        for place in [report.directory + "/outgoing", report.directory + "/store/snapshots"] {
            let count = directoryEntries(place).count
            guard count > 0 else { continue }
            let files = count == 1 ? "1 file of a snapshot" : "\(count) files of snapshots"
            report.add(.init("leftovers", .note, at: place, "\(files); the next start sees to that"))
        }
    }
}
