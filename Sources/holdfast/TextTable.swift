import ArgumentParser
import HoldfastClient

/// Rows for people: columns as wide as their widest cell, numbers to the right.
struct TextTable {
    private let titles: [String]
    private var rows: [[String]] = []

    init(_ titles: String...) {
        self.titles = titles
    }

    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) {
        precondition(cells.count == titles.count, "a row has one cell per column")
        rows.append(cells)
    }

    var text: String {
        let all = [titles] + rows
        let widths = titles.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        let toTheRight = titles.indices.map { column in
            !rows.isEmpty && rows.allSatisfy { Self.looksNumeric($0[column]) }
        }
        return all.map { row in
            let cells = row.indices.map { column in
                let blanks = String(repeating: " ", count: widths[column] - row[column].count)
                return toTheRight[column] ? blanks + row[column] : row[column] + blanks
            }
            return trimmedRight(cells.joined(separator: "  "))
        }.joined(separator: "\n")
    }

    private static func looksNumeric(_ cell: String) -> Bool {
        cell == "-" || cell.isEmpty
            || (cell.first.map { $0.isNumber || $0 == "-" } ?? false)
                && cell.allSatisfy { $0.isNumber || ".,-%".contains($0) }
    }

    private func trimmedRight(_ text: String) -> String {
        var rest = Substring(text)
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}

/// A cell for what a JSON document says there.
func cell(_ json: JSON?) -> String {
    switch json {
    case nil, .null: "-"
    case .string(let text): text
    case .bool(let flag): flag ? "yes" : "no"
    case .some(let value): value.description
    }
}

struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print JSON for programs.")
    var json = false
}
