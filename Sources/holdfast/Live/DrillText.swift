import HoldfastClient
import LiveChecks

/// What `holdfast drill` prints.
enum DrillText {
    private static let shownMax = 10

    static func lines(_ report: DrillReport) -> String {
        let scene = report.scene
        var lines = [
            "killed          \(scene.node), owner of \(scene.shardsOwned) shards",
            "shard           \(scene.shard.name), epoch \(scene.shard.epoch)",
            "detection       \(milliseconds(report.detectionMs))\(report.successor?.cause.map { ", by \($0)" } ?? "")",
            "takeover        \(milliseconds(report.takeoverMs))\(successor(report.successor))",
            "first answer    \(milliseconds(report.firstAnswerMs))",
            "longest silence \(milliseconds(report.silenceMs))",
            "whole again     \(milliseconds(report.wholeMs))",
            "operations      \(report.operations), acknowledged \(report.acknowledged), unknown \(report.unknown)",
            "failed          \(report.failed)",
            "lost            \(report.lost)",
            "doubled         \(report.doubled)",
        ]
        if report.hasCommandFailed { lines.append("the kill command did not end well") }
        lines += report.errors.prefix(shownMax).map { "  an error: \($0)" }
        lines += report.unread.map { "  not read at the end: \($0)" }
        lines += report.violations.prefix(shownMax).map { "VIOLATION in \($0.object)/\($0.item): \($0.message)" }
        lines += VerifyText.leftOver(report.leftOver)
        return (lines + [verdict(report)]).joined(separator: "\n")
    }

    private static func verdict(_ report: DrillReport) -> String {
        switch report.exitStatus {
        case 0: "drill: nothing lost, nothing doubled"
        case 3: "drill: NOT BACK IN TIME"
        default: "drill: BROKEN PROMISES"
        }
    }

    private static func successor(_ shard: ShardView?) -> String {
        guard let shard, let owner = shard.owner else { return "" }
        let pause = shard.pauseMs.map { ", not served for \($0) ms by its own clock" } ?? ""
        return ", \(owner) at epoch \(shard.epoch)\(pause)"
    }

    private static func milliseconds(_ value: Double?) -> String {
        value.map { "\(BenchReport.fixed($0, 0)) ms" } ?? "-"
    }

    static func json(_ report: DrillReport) -> JSON {
        [
            "node": .string(report.scene.node), "shardsOwned": .integer(report.scene.shardsOwned),
            "shard": .string(report.scene.shard.name), "epoch": .integer(report.scene.shard.epoch),
            "detectionMs": number(report.detectionMs), "takeoverMs": number(report.takeoverMs),
            "firstAnswerMs": number(report.firstAnswerMs), "silenceMs": number(report.silenceMs),
            "wholeMs": number(report.wholeMs), "cause": report.successor?.cause.map(JSON.string) ?? .null,
            "newOwner": report.successor?.owner.map(JSON.string) ?? .null,
            "newEpoch": report.successor.map { .integer($0.epoch) } ?? .null,
            "operations": .integer(report.operations), "acknowledged": .integer(report.acknowledged),
            "unknown": .integer(report.unknown), "failed": .integer(report.failed), "lost": .integer(report.lost),
            "doubled": .integer(report.doubled), "violations": VerifyText.json(report.violations),
            "unread": .array(report.unread.map(JSON.string)), "leftOver": .array(report.leftOver.map(JSON.string)),
        ]
    }

    private static func number(_ value: Double?) -> JSON { value.map(JSON.real) ?? .null }
}
