import Foundation
import Testing

/// Each file in `Scripts` tells one behaviour: commands, and beneath each what it makes the replicas do.
/// `HOLDFAST_REWRITE_SCRIPTS=1` writes what really happens into the files, to be reviewed as a diff.
@Suite struct ScriptTests {
    private static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Scripts")

    static var names: [String] {
        let files = try? FileManager.default.contentsOfDirectory(atPath: directory.path)
        return (files ?? []).filter { $0.hasSuffix(".txt") }.sorted()
    }

    @Test func thereAreScripts() {
        #expect(Self.names.count >= 25)
    }

    @Test(arguments: names)
    func behavesAsWritten(name: String) throws {
        let file = Self.directory.appendingPathComponent(name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        let actual = ScriptRunner.run(expected)
        #expect(!actual.contains("VIOLATION"))
        if ProcessInfo.processInfo.environment["HOLDFAST_REWRITE_SCRIPTS"] == "1" {
            try actual.write(to: file, atomically: true, encoding: .utf8)
            return
        }
        let pairs = zip(expected.split(separator: "\n"), actual.split(separator: "\n"))
        if let (wanted, got) = pairs.first(where: { $0 != $1 }) {
            Issue.record("\(name): expected “\(wanted)”, got “\(got)”")
        }
        #expect(actual == expected, "\(name) differs")
    }
}
