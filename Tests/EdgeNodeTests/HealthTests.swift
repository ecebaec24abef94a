import Cluster
import Placement
import Raft
import Testing

@testable import EdgeNode

struct HealthTests {
    private func anonymous(_ edge: TestEdge, _ path: String, admin: Bool = false) throws -> TestResponse {
        let client = try edge.connect(admin: admin)
        client.authorization = ""
        return try client.call("GET", path)
    }

    @Test func livenessAsksNobody() throws {
        let edge = try TestEdge()
        edge.gateway.leaveCluster()
        edge.gateway.report.isReady = false
        #expect(try anonymous(edge, "/livez").status == 200)
        #expect(try anonymous(edge, "/livez", admin: true).status == 200)
    }

    @Test func readinessFollowsTheNode() throws {
        let edge = try TestEdge()
        #expect(try anonymous(edge, "/readyz").status == 200)
        #expect(try anonymous(edge, "/healthz").status == 200)
        edge.gateway.report.isReady = false
        edge.gateway.report.notReadyReasons = ["no lease"]
        for path in ["/readyz", "/healthz", "/readyz?verbose"] {
            #expect(try anonymous(edge, path).status == 503)
        }
        #expect(try !anonymous(edge, "/readyz").body.contains("no lease"))
        #expect(try anonymous(edge, "/readyz?verbose").body.contains("missing: no lease"))
    }

    @Test func theVersionIsTold() throws {
        #expect(try anonymous(try TestEdge(), "/version").json?["version"]?.text == "0.1.0")
    }

    @Test func metricsHoldTheCoreSetInTheTextFormat() throws {
        let edge = try TestEdge()
        _ = try edge.call("POST", "/project/demo/cache/c/o/n", #"{"value":1}"#)
        _ = try edge.call("GET", "/project/demo/cache/c/o/n")
        _ = try edge.call("GET", "/nothing")
        edge.gateway.report.uptimeMs = 61_000
        edge.gateway.report.leaseRemainingMs = 812
        edge.gateway.report.counters.takeovers = ["obituary": 3]
        edge.gateway.report.counters.takeoverDurations.record(ns: 14_000_000)
        var shard = ShardReport(shard: ShardID(rawValue: 0))
        shard.isServing = true
        shard.objects = 5
        shard.coldObjects = 2
        shard.loadedBytes = 700
        edge.gateway.report.counters.wokenObjects = 7
        shard.replicaLag = [(NodeID(rawValue: 2), 4)]
        edge.gateway.report.shards = [shard]
        var syncs = DurationHistogram()
        syncs.record(ns: 150_000)
        var journal = JournalReport(syncDurations: syncs, bytesWritten: 4096)
        (journal.liveSegments, journal.liveBytes, journal.droppedSegments) = (3, 9_000, 5)
        edge.gateway.journal = journal
        var store = StoreReport()
        (store.fileBytes, store.commits, store.snapshotsMade) = (65_536, 12, 2)
        edge.gateway.store = store
        edge.gateway.report.counters.checkpointsBegun = 40
        edge.gateway.report.counters.snapshotsInstalled = 1
        edge.gateway.report.counters.droppedSockets = 6

        let page = try anonymous(edge, "/metrics")
        #expect(page["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        let lines = Set(page.body.split(separator: "\n").map(String.init))
        for line in [
            #"holdfast_build_info{version="0.1.0"} 1"#, "holdfast_uptime_seconds 61",
            "holdfast_leases_held 1",
            "holdfast_lease_remaining_seconds 0.812", "holdfast_shards_owned 1",
            #"holdfast_objects{state="owned"} 5"#, #"holdfast_objects{state="loaded"} 3"#,
            #"holdfast_objects{state="stored"} 2"#, "holdfast_loaded_bytes 700", "holdfast_woken_objects_total 7",
            #"holdfast_takeovers_total{cause="obituary"} 3"#,
            #"holdfast_takeover_duration_seconds_bucket{le="0.016384"} 1"#,
            #"holdfast_takeover_duration_seconds_bucket{le="0.008192"} 0"#,
            "holdfast_takeover_duration_seconds_sum 0.014000000",
            "holdfast_takeover_duration_seconds_count 1",
            #"holdfast_replication_lag_entries{replica="2"} 4"#,
            "holdfast_journal_written_bytes_total 4096",
            "holdfast_journal_fsync_duration_seconds_count 1", "holdfast_journal_live_segments 3",
            "holdfast_journal_live_bytes 9000", "holdfast_journal_dropped_segments_total 5",
            "holdfast_store_bytes 65536", "holdfast_store_commits_total 12", "holdfast_store_checkpoints_total 40",
            "holdfast_store_snapshots_made_total 2", "holdfast_store_snapshots_installed_total 1",
            "holdfast_sockets_dropped_total 6",
            #"holdfast_op_duration_seconds_count{op="setItem"} 1"#,
            #"holdfast_op_duration_seconds_bucket{op="getItem",le="+Inf"} 1"#,
            #"holdfast_http_answers_total{class="2xx"} 2"#, #"holdfast_http_answers_total{class="4xx"} 1"#,
            "# TYPE holdfast_op_duration_seconds histogram",
        ] { #expect(lines.contains(line), "\(line)") }
    }

    @Test func metricsInventNothing() throws {
        let body = try anonymous(try TestEdge(), "/metrics").body
        for absent in ["journal", "holdfast_store", "session_resumes_total", "op_duration", "takeovers_total"] {
            #expect(!body.contains(absent), "\(absent)")
        }
    }

    @Test func everySampleIsWellFormed() throws {
        let body = try anonymous(try TestEdge(), "/metrics").body
        for line in body.split(separator: "\n") where !line.hasPrefix("#") {
            let value = line.split(separator: " ").last.flatMap { Double($0) }
            #expect(line.hasPrefix("holdfast_") && value != nil, "\(line)")
        }
    }
}
