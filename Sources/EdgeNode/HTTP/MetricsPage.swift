import Cluster
import ObjectRuntime

/// Writes `/metrics` in the Prometheus text format. Holds only what was measured, and never an object
/// id in a label.
struct MetricsPage {
    private var text = ""

    static func render(
        _ report: NodeReport, journal: JournalReport?, store: StoreReport?, certificateEnds: [String: Int64],
        requests: RequestStatistics, version: String
    ) -> [UInt8] {
        var page = MetricsPage()
        page.gauge("holdfast_build_info", "Which release runs here.", [(["version": version], "1")])
        page.addNode(report)
        page.addCertificates(certificateEnds)
        page.addShards(report)
        page.addCounters(report.counters)
        page.addRequests(requests)
        page.addSockets(requests.sockets)
        page.addEvents(report)
        if let journal { page.addJournal(journal) }
        if let store { page.addStore(store, report.counters) }
        return Array(page.text.utf8)
    }

    private mutating func addNode(_ report: NodeReport) {
        gauge("holdfast_uptime_seconds", "Since the process began.", [([:], "\(report.uptimeMs / 1_000)")])
        gauge("holdfast_node_ready", "1 if the node serves.", [([:], report.isReady ? "1" : "0")])
        gauge(
            "holdfast_placement_leader", "1 on the placement leader.",
            [([:], report.role == .leader ? "1" : "0")])
        gauge("holdfast_placement_term", "Term of the placement group.", [([:], "\(report.term)")])
        gauge(
            "holdfast_placement_applied_index", "Newest applied entry.", [([:], "\(report.placementIndex)")]
        )
        gauge(
            "holdfast_leases_held", "1 while this node holds a lease.",
            [([:], report.leaseRemainingMs > 0 ? "1" : "0")])
        gauge(
            "holdfast_lease_remaining_seconds", "What is left of the lease.",
            [([:], seconds(ms: report.leaseRemainingMs))])
    }

    private mutating func addCertificates(_ ends: [String: Int64]) {
        guard !ends.isEmpty else { return }
        gauge(
            "holdfast_certificate_expiry_timestamp_seconds", "When the certificate ends.",
            ends.sorted { $0.key < $1.key }.map { (["certificate": $0.key], "\($0.value / 1_000)") })
    }

    private mutating func addShards(_ report: NodeReport) {
        let serving = report.shards.filter(\.isServing)
        let others = report.shards.filter { !$0.isServing }
        gauge("holdfast_shards_owned", "Shards served by this node.", [([:], "\(serving.count)")])
        gauge(
            "holdfast_queue_depth", "Requests waiting in shards.",
            [([:], "\(report.shards.reduce(0) { $0 + $1.queued })")])
        gauge(
            "holdfast_objects",
            "Objects, by what this node is to their shard; and the same ones, by whether they are in memory.",
            [
                (["state": "owned"], "\(serving.reduce(0) { $0 + $1.objects })"),
                (["state": "replica"], "\(others.reduce(0) { $0 + $1.objects })"),
                (["state": "loaded"], "\(report.shards.reduce(0) { $0 + $1.objects - $1.coldObjects })"),
                (["state": "stored"], "\(report.shards.reduce(0) { $0 + $1.coldObjects })"),
            ])
        gauge(
            "holdfast_loaded_bytes", "What the objects that are in memory take of it.",
            [([:], "\(report.shards.reduce(0) { $0 + $1.loadedBytes })")])
        gauge(
            "holdfast_object_bytes", "Names and values of all objects.",
            [([:], "\(report.shards.reduce(0) { $0 + $1.bytes })")])
        var lag: [UInt64: UInt64] = [:]
        for shard in serving {
            for replica in shard.replicaLag {
                lag[replica.node.rawValue] = max(lag[replica.node.rawValue] ?? 0, replica.lag)
            }
        }
        gauge(
            "holdfast_replication_lag_entries", "The most entries that a replica lacks in one shard.",
            lag.sorted { $0.key < $1.key }.map { (["replica": String($0.key, radix: 16)], "\($0.value)") })
    }

    private mutating func addCounters(_ counters: NodeCounters) {
        counter(
            "holdfast_forwarded_ops_total", "Operations sent to another node's shard.",
            counters.forwardedOperations)
        counter("holdfast_executed_ops_total", "Operations executed as owner.", counters.executedOperations)
        counter(
            "holdfast_fenced_replies_total", "Tries sent back because another epoch is led or named.",
            counters.fencedReplies)
        counter(
            "holdfast_replayed_ops_total", "Retries that got the first answer.", counters.replayedOperations
        )
        counter(
            "holdfast_held_requests_total", "Requests held for a shard between owners.",
            counters.heldRequests)
        counter(
            "holdfast_refused_requests_total", "Requests refused, not applied.", counters.refusedRequests)
        counter(
            "holdfast_shed_requests_total", "Requests refused because more waited than was done in time.",
            counters.shedRequests)
        counter(
            "holdfast_disk_full_refusals_total", "Writes refused because no owner's disk had room.",
            counters.diskFullRefusals)
        counter(
            "holdfast_unknown_outcomes_total", "Operations with an unknown outcome.",
            counters.unknownOutcomes)
        counter("holdfast_leases_gained_total", "Leases gained.", counters.leasesGained)
        counter("holdfast_leases_lost_total", "Leases lost.", counters.leasesLost)
        counter("holdfast_barrier_reads_total", "Reads that went by a barrier.", counters.barrierReads)
        counter(
            "holdfast_rejected_messages_total", "Messages of peers that were rejected.",
            counters.rejectedMessages)
        family(
            "holdfast_rejected_links_total", "counter",
            "Links of peers that were not taken, or closed for what came over them, by cause.",
            counters.rejectedLinks.sorted { $0.key < $1.key }.map { (["cause": $0.key], "\($0.value)") })
        counter(
            "holdfast_hibernated_objects_total", "Objects that left memory.", counters.hibernatedObjects)
        counter(
            "holdfast_woken_objects_total", "Objects that came back into memory.", counters.wokenObjects)
        family(
            "holdfast_scrubs_total", "counter", "Scrubs of shards that this node owned, by result.",
            ScrubOutcome.Result.allCases.map {
                (["result": $0.rawValue], "\(counters.scrubs[$0.rawValue] ?? 0)")
            })
        let quotas = QuotaKind.allCases.map(\.rawValue) + ["object_sockets"]
        family(
            "holdfast_quota_refusals_total", "counter",
            "What was refused for a project's quota, or for the sockets of one object.",
            quotas.map { (["quota": $0], "\(counters.quotaRefusals[$0] ?? 0)") })
        family(
            "holdfast_takeovers_total", "counter", "Shards taken over, by cause.",
            counters.takeovers.sorted { $0.key < $1.key }.map { (["cause": $0.key], "\($0.value)") })
        histogram(
            "holdfast_takeover_duration_seconds", "From the table's entry to serving.",
            [([:], counters.takeoverDurations)])
    }

    private mutating func addRequests(_ requests: RequestStatistics) {
        let measured = CallName.allCases.map { (name: "\($0)", duration: requests.durations[$0.rawValue]) }
        histogram(
            "holdfast_op_duration_seconds", "From the complete request to its answer, by operation.",
            measured.filter { $0.duration.counts.contains { $0 > 0 } }.map {
                (["op": $0.name], $0.duration)
            })
        family(
            "holdfast_http_answers_total", "counter", "Answers by class of status.",
            (1...5).map { (["class": "\($0)xx"], "\(requests.answersByClass[$0])") })
        family(
            "holdfast_admin_refusals_total", "counter", "Wrong admin tokens, and calls beyond an administrator's role.",
            [([:], "\(requests.refusedAdministrators)")])
        family(
            "holdfast_rate_refusals_total", "counter", "Requests and frames beyond a rate, by what the rate is for.",
            ["connection", "key", "object"].map { (["rate": $0], "\(requests.rateRefusals[$0] ?? 0)") })
        family(
            "holdfast_refused_connections_total", "counter", "Connections that were closed at once, by why.",
            ["address", "draining", "loop"].map { (["why": $0], "\(requests.refusedConnections[$0] ?? 0)") })
        family(
            "holdfast_unread_answers_cut_off_total", "counter",
            "Connections that were closed because their clients left too many bytes of answers unread.",
            [([:], "\(requests.cutOffConnections)")])
        gauge(
            "holdfast_http_connections", "Open client connections.", [([:], "\(requests.openConnections)")])
    }

    private mutating func addSockets(_ sockets: SocketStatistics) {
        gauge(
            "holdfast_sessions", "Sockets of clients, by state.",
            [
                (["state": "open"], "\(sockets.open)"),
                (["state": "awaiting_credentials"], "\(sockets.awaitingCredentials)"),
                (["state": "closing"], "\(sockets.closing)"),
            ])
        counter("holdfast_sockets_opened_total", "Sockets opened.", sockets.opened)
        family(
            "holdfast_sockets_closed_total", "counter", "Sockets that came to their end, by reason.",
            SocketEnding.allCases.map { (["reason": "\($0)"], "\(sockets.count(of: $0))") })
        family(
            "holdfast_socket_frames_total", "counter", "Frames and messages of sockets.",
            [
                (["direction": "in"], "\(sockets.framesIn)"),
                (["direction": "out"], "\(sockets.framesOut)"),
            ])
        counter(
            "holdfast_slow_readers_total", "Sockets closed because their clients took too little.",
            sockets.count(of: .slow))
    }

    private mutating func addEvents(_ report: NodeReport) {
        let serving = report.shards.filter(\.isServing)
        gauge(
            "holdfast_feeds", "Objects whose events come to this node for its sockets.",
            [([:], "\(report.counters.feeds)")])
        gauge(
            "holdfast_listeners", "Feeds of all nodes that this node tells as owner.",
            [([:], "\(serving.reduce(0) { $0 + $1.listeners })")])
        gauge(
            "holdfast_presence_members", "Connections that objects of this node's shards remember.",
            [([:], "\(serving.reduce(0) { $0 + $1.sessions })")])
        counter(
            "holdfast_events_pushed_total", "Events sent to feeds, one for each feed.",
            report.counters.pushedEvents)
        counter(
            "holdfast_messages_pushed_total", "Messages sent to feeds, one for each feed.",
            report.counters.pushedMessages)
        counter(
            "holdfast_events_replayed_total", "Events told to those who had missed them.",
            report.counters.replayedEvents)
        counter(
            "holdfast_event_gaps_total", "Times that what was missed could not be told.",
            report.counters.eventGaps)
        counter(
            "holdfast_sockets_dropped_total", "Sockets closed because nobody could serve their object.",
            report.counters.droppedSockets)
        family(
            "holdfast_session_resumes_total", "counter", "Resumes of connections, by result.",
            report.counters.resumes.sorted { $0.key < $1.key }.map { (["result": $0.key], "\($0.value)") })
    }

    private mutating func addJournal(_ journal: JournalReport) {
        counter(
            "holdfast_journal_written_bytes_total", "Bytes written to the journal.", journal.bytesWritten)
        counter(
            "holdfast_journal_archived_segments_total", "Segments copied into the archive.",
            journal.archivedSegments)
        gauge(
            "holdfast_journal_archive_lag_segments", "Sealed segments that are not in the archive yet.",
            [([:], "\(journal.archiveLagSegments)")])
        gauge(
            "holdfast_journal_archive_faulty", "1 while the archive cannot be written, or has a gap.",
            [([:], journal.isArchiveFaulty ? "1" : "0")])
        histogram(
            "holdfast_journal_fsync_duration_seconds", "Each fdatasync of the journal.",
            [([:], journal.syncDurations)])
        gauge("holdfast_journal_live_segments", "Segments that are there.", [([:], "\(journal.liveSegments)")])
        gauge(
            "holdfast_journal_former_segments", "Segments that an earlier process wrote to.",
            [([:], "\(journal.formerSegments)")])
        gauge("holdfast_journal_live_bytes", "The size of their files.", [([:], "\(journal.liveBytes)")])
        counter(
            "holdfast_journal_dropped_segments_total", "Segments that were needed no more.", journal.droppedSegments)
    }

    private mutating func addStore(_ store: StoreReport, _ counters: NodeCounters) {
        gauge("holdfast_store_bytes", "The size of the object store's file.", [([:], "\(store.fileBytes)")])
        counter(
            "holdfast_store_written_bytes_total", "Records written to the store, before they become pages.",
            store.writtenBytes)
        counter("holdfast_store_commits_total", "Commits of the store.", store.commits)
        counter(
            "holdfast_store_space_refusals_total", "Commits that failed for want of space on the disk.",
            store.refusedForSpace)
        counter(
            "holdfast_store_checkpoints_total", "Times that a shard's changes were written to the store.",
            counters.checkpointsBegun)
        counter("holdfast_store_snapshots_made_total", "Snapshots of shards made for others.", store.snapshotsMade)
        counter(
            "holdfast_store_snapshots_installed_total", "Snapshots of shards that took the place of the state here.",
            counters.snapshotsInstalled)
        guard !store.dataKeys.isEmpty else { return }
        gauge(
            "holdfast_data_keys", "Data keys that this node has; what is written is encrypted under the newest.",
            store.dataKeys.enumerated().map { (["key": $1, "newest": $0 == 0 ? "yes" : "no"], "1") })
        counter(
            "holdfast_store_resealed_records_total", "Records that were written anew for the newest data key.",
            store.resealed)
        gauge(
            "holdfast_store_reseal_pending", "1 until all records have been looked at since the start.",
            [([:], store.isResealing ? "1" : "0")])
    }
}

// MARK: - The format

extension MetricsPage {
    private typealias Labels = KeyValuePairs<String, String>

    private mutating func gauge(_ name: String, _ help: String, _ samples: [(Labels, String)]) {
        family(name, "gauge", help, samples)
    }

    private mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        family(name, "counter", help, [([:], "\(value)")])
    }

    private mutating func family(
        _ name: String, _ kind: String, _ help: String, _ samples: [(Labels, String)]
    ) {
        guard !samples.isEmpty else { return }
        head(name, kind, help)
        for (labels, value) in samples { sample(name, labels.map { ($0.key, $0.value) }, value) }
    }

    private mutating func histogram(_ name: String, _ help: String, _ series: [(Labels, DurationHistogram)])
    {
        guard !series.isEmpty else { return }
        head(name, "histogram", help)
        for (labels, histogram) in series {
            let labels = labels.map { ($0.key, $0.value) }
            var count: UInt64 = 0
            for (power, inBucket) in histogram.counts.enumerated() {
                count += inBucket
                guard MetricsPage.shownPowers.contains(power) else { continue }
                let bound = MetricsPage.decimal(1 << UInt64(power), digits: 6)
                sample(name + "_bucket", labels + [("le", bound)], "\(count)")
            }
            sample(name + "_bucket", labels + [("le", "+Inf")], "\(count)")
            sample(name + "_sum", labels, MetricsPage.decimal(histogram.sumNs, digits: 9))
            sample(name + "_count", labels, "\(count)")
        }
    }

    /// Bounds from 32 µs to 16.8 s; what lies below or above is in the first or in the last one.
    private static let shownPowers = 5...24

    private mutating func head(_ name: String, _ kind: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
        text += name
        if !labels.isEmpty {
            text +=
                "{" + labels.map { "\($0.0)=\"\(MetricsPage.escaped($0.1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    private static func escaped(_ label: String) -> String {
        label.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }

    private func seconds(ms: UInt64) -> String { MetricsPage.decimal(ms, digits: 3) }

    /// `value` with the decimal point moved `digits` places to the left.
    private static func decimal(_ value: UInt64, digits: Int) -> String {
        let text = String(value)
        let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
        return padded.dropLast(digits) + "." + padded.suffix(digits)
    }
}
