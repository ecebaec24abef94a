import Glibc
import HoldfastClient

/// Medians over repeated runs, and how they are shown.
enum BenchReport {
    /// The median of every figure by itself; errors of all runs together.
    static func medians(_ runs: [BenchFigures]) -> BenchFigures {
        precondition(!runs.isEmpty, "no run, no median")
        let server = runs.compactMap(\.serverMicrosecondsPerOperation)
        var result = runs[0]
        result.operationsPerSecond = median(runs.map(\.operationsPerSecond))
        result.p50Ms = median(runs.map(\.p50Ms))
        result.p90Ms = median(runs.map(\.p90Ms))
        result.p99Ms = median(runs.map(\.p99Ms))
        result.maxMs = median(runs.map(\.maxMs))
        result.serverMicrosecondsPerOperation = server.isEmpty ? nil : median(server)
        result.clientMicrosecondsPerOperation = median(runs.map(\.clientMicrosecondsPerOperation))
        result.errors = runs.dropFirst().reduce(runs[0].errors) { $0.merging($1.errors, uniquingKeysWith: +) }
        return result
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    static func table(_ all: [BenchFigures]) -> String {
        var table = TextTable(
            "WORKLOAD", "CONNECTIONS", "OPS/S", "P50 MS", "P90 MS", "P99 MS", "MAX MS", "SERVER US/OP",
            "CLIENT US/OP", "ERRORS")
        for figures in all {
            table.add(
                figures.workload.rawValue, String(figures.connections), fixed(figures.operationsPerSecond, 0),
                fixed(figures.p50Ms, 2), fixed(figures.p90Ms, 2), fixed(figures.p99Ms, 2),
                fixed(figures.maxMs, 1),
                figures.serverMicrosecondsPerOperation.map { fixed($0, 1) } ?? "-",
                fixed(figures.clientMicrosecondsPerOperation, 1), String(figures.errorCount))
        }
        return table.text
    }

    static func json(_ figures: BenchFigures) -> JSON {
        let errors = figures.errors.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .integer($0.value)) }
        return [
            "workload": .string(figures.workload.rawValue), "connections": .integer(figures.connections),
            "operationsPerSecond": .real(figures.operationsPerSecond), "p50Ms": .real(figures.p50Ms),
            "p90Ms": .real(figures.p90Ms), "p99Ms": .real(figures.p99Ms), "maxMs": .real(figures.maxMs),
            "serverMicrosecondsPerOperation": figures.serverMicrosecondsPerOperation.map(JSON.real) ?? .null,
            "clientMicrosecondsPerOperation": .real(figures.clientMicrosecondsPerOperation),
            "errors": .object(errors),
        ]
    }

    /// One line per kind of error, so that none is hidden behind a number.
    static func errorLines(_ all: [BenchFigures]) -> [String] {
        all.flatMap { figures in
            figures.errors.sorted { $0.key < $1.key }.map { name, count in
                "\(figures.workload.rawValue), \(figures.connections) connections: \(count) x \(name)"
            }
        }
    }

    static func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = pow(10, Double(digits))
        guard value.isFinite, abs(value) * scale < 9e18 else { return "-" }
        let scaled = Int((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(scaled) }
        let fraction = String(scaled % Int(scale))
        let padding = String(repeating: "0", count: digits - fraction.count)
        return "\(sign)\(scaled / Int(scale)).\(padding)\(fraction)"
    }
}
