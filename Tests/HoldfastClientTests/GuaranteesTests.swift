import Foundation
import Testing

@testable import chaos
@testable import holdfast

/// What `docs/guarantees.md` names as holding a promise must be there.
@Suite struct GuaranteesTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test func everythingThatIsNamedIsThere() throws {
        let document = try HeldPromises(try Self.text("docs/guarantees.md"))
        // Alarms are not built yet.
        #expect(document.promises.map(\.number) == Array(1...9))
        let evidence = try Evidence(root: Self.root)
        for promise in document.promises {
            #expect(promise.rows.contains { $0.kind == "test" }, "promise \(promise.number)")
            for row in promise.rows {
                #expect(evidence.faults(in: row) == [], "promise \(promise.number), \(row.kind)")
            }
        }
        // Every kind of evidence is used, and there is a lot of it.
        let rows = document.promises.flatMap(\.rows)
        #expect(Set(rows.map(\.kind)) == Evidence.kinds)
        #expect(rows.flatMap(\.references).count > 150)
    }

    @Test(arguments: [
        ("test", "`PlacementTests/NoSuchTests.swift`"), ("test", "`Protocol/check_nothing.py`"),
        ("test", "`PlacementTests/StateMachineTests.swift`: `noSuchTest`"),
        ("test", "`SimulationTests/CheckerTests.swift`: \"no such statement\""),
        ("test", "`history` before any file"), ("bugs of others", "`r31`"), ("bugs of others", "`r28`"),
        ("model", "`no-such-run`"), ("simulator", "`I7`"), ("simulator", "finds `no-such-bug`"),
        ("chaos", "`kill-nobody`"), ("chaos", "`chaos/nothing`"), ("running cluster", "`check`"),
        ("another kind", "nothing"), ("test", "nothing but words"),
    ])
    func whatIsNotThereIsNoticed(kind: String, text: String) throws {
        let row = HeldPromises.Row(kind: kind, text: text)
        #expect(try Evidence(root: Self.root).faults(in: row).count == 1, "\(text)")
    }

    @Test func tablesAreRead() throws {
        let document = try HeldPromises(
            """
            ## 1. One
            Words.
            | Held by | |
            | --- | --- |
            | test | `A/B.swift`: words (`c`), "a b" |
            | chaos | `kill-owner --sockets` |

            ## What is not promised
            | Held by | |
            """)
        #expect(document.promises.count == 1 && document.promises[0].rows.count == 2)
        #expect(document.promises[0].rows[0].references == [.code("A/B.swift"), .code("c"), .phrase("a b")])
    }
}

/// The tables of the document.
struct HeldPromises {
    enum Reference: Equatable {
        /// Between backticks.
        case code(String)
        /// Between quotation marks: the name of a test that is a sentence.
        case phrase(String)
    }

    struct Row {
        var kind: String
        var references: [Reference] = []

        init(kind: String, text: String) {
            self.kind = kind
            for match in text.matches(of: /`([^`]+)`|"([^"]+)"/) {
                if let code = match.1 { references.append(.code(String(code))) }
                if let phrase = match.2 { references.append(.phrase(String(phrase))) }
            }
        }
    }

    struct Promise {
        var number: Int
        var rows: [Row] = []
    }

    private(set) var promises: [Promise] = []

    init(_ text: String) throws {
        var isInTable = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let heading = line.wholeMatch(of: /## (\d+)\. .*/) {
                isInTable = false
                promises.append(Promise(number: try #require(Int(heading.1))))
            } else if line.hasPrefix("## ") {
                break
            } else if line == "| Held by | |" {
                isInTable = true
            } else if isInTable, let row = line.wholeMatch(of: /\| ([a-z ]+) \| (.*) \|/) {
                promises[promises.count - 1].rows.append(Row(kind: String(row.1), text: String(row.2)))
            }
        }
        // What is announced needs no evidence yet.
        promises.removeAll { $0.rows.isEmpty && $0.number == 10 }
    }
}

/// What there is to be named.
private struct Evidence {
    static let kinds: Set = ["test", "bugs of others", "model", "simulator", "chaos", "running cluster"]

    private let root: URL
    private let regressions: [String]
    private let modelRuns: Set<String>
    private let plantedBugs: String
    private let invariants: Set<String>

    init(root: URL) throws {
        self.root = root
        func text(_ path: String) throws -> String {
            try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
        }
        func all(below folder: String) throws -> String {
            let files = FileManager.default.enumerator(
                at: root.appendingPathComponent(folder).resolvingSymlinksInPath(), includingPropertiesForKeys: nil)
            return try (files?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
                .map { try String(contentsOf: $0, encoding: .utf8) }.joined(separator: "\n")
        }
        regressions = try all(below: "Tests/Regressions").matches(of: /@Test.*func (r\d+)/).map { String($0.1) }
        let runs = try text("model/runs").split(separator: "\n").filter { !$0.hasPrefix("#") }
        modelRuns = Set(
            runs.compactMap { line in
                line.split(separator: " ").drop { $0 == "all" }.dropFirst().first.map(String.init)
            })
        plantedBugs = try text("Sources/Binary/PlantedBug.swift")
        invariants = Set(try all(below: "Sources/Simulation").matches(of: /\b[IO]\d+\b/).map { String($0.0) })
    }

    /// What the row names and is not there.
    func faults(in row: HeldPromises.Row) -> [String] {
        guard Self.kinds.contains(row.kind) else { return ["'\(row.kind)' is no kind of evidence"] }
        // Words may stand for what needs no name, but not for a test.
        if row.kind == "test", row.references.isEmpty { return ["a row without a test"] }
        var file: String?
        return row.references.compactMap { reference in
            switch (row.kind, reference) {
            case ("test", .code(let name)) where name.contains("/"):
                let path = name.hasPrefix("scripts/") ? name : "Tests/" + name
                file = try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
                return file == nil ? "there is no \(path)" : nil
            // A command that tests name in passing.
            case ("test", .code(let name)) where Self.commands.contains(name): return nil
            case ("test", .code(let name)): return Self.holds(file, "func \(name)(") ? nil : "there is no test \(name)"
            case ("test", .phrase(let name)):
                return Self.holds(file, "func `\(name)`(") ? nil : "there is no test \"\(name)\""
            case (_, .phrase): return nil
            case (_, .code(let name)): return isThere(row.kind, name) ? nil : "\(row.kind): there is no \(name)"
            }
        }
    }

    private static func holds(_ file: String?, _ text: String) -> Bool { file?.contains(text) ?? false }

    private static let commands = Set(Holdfast.configuration.subcommands.compactMap { $0.configuration.commandName })

    private func isThere(_ kind: String, _ name: String) -> Bool {
        switch kind {
        case "bugs of others": regressions.contains(name)
        case "model": modelRuns.contains(name)
        case "simulator":
            plantedBugs.contains("= \"\(name)\"") || invariants.contains(name)
        case "chaos": isChaos(name)
        default: Self.commands.contains(name)
        }
    }

    private func isChaos(_ name: String) -> Bool {
        let word = String(name.prefix { $0 != " " })
        if word.contains("/") { return FileManager.default.fileExists(atPath: root.appendingPathComponent(word).path) }
        return Options.Scenario(rawValue: word) != nil || NemesisKind(rawValue: name) != nil
            || WorkloadKind(rawValue: name) != nil
    }
}
