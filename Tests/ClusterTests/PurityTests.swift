import Foundation
import Testing

/// The inner ring decides and touches nothing: checked by what its files import and name.
struct PurityTests {
    private static let modules = ["Binary", "Raft", "Placement", "ObjectRuntime", "Cluster"]
    private static let allowedImports = Set(modules + ["DequeModule"])
    private static let forbiddenWords = [
        "Foundation", "Glibc", "Task", "await", "async", "DispatchQueue", "NSLock", "Mutex",
        "SystemRandomNumberGenerator", "Date", "ContinuousClock", "SuspendingClock",
    ]
    private static let forbiddenCalls = [".random(in", ".randomElement(", ".shuffled("]

    private static func sources(of module: String) -> [URL] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appendingPathComponent("Sources/\(module)").resolvingSymlinksInPath()
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        return (files?.compactMap { $0 as? URL } ?? []).filter { $0.pathExtension == "swift" }
            .sorted { $0.path < $1.path }
    }

    /// The code of a line: without its comment.
    private static func code(_ line: Substring) -> Substring {
        line.range(of: "//").map { line[..<$0.lowerBound] } ?? line
    }

    static func faults(in text: String) -> [String] {
        var faults: [String] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let code = code(line)
            let words = code.split { !$0.isLetter && !$0.isNumber && $0 != "_" }.map(String.init)
            if let place = words.firstIndex(of: "import"), words.count > place + 1, code.contains("import "),
                !allowedImports.contains(words[words.count - 1]), code.first != " "
            {
                faults.append("line \(number + 1) imports \(words[words.count - 1])")
            }
            for word in forbiddenWords where words.contains(word) {
                faults.append("line \(number + 1) names \(word)")
            }
            for call in forbiddenCalls where code.contains(call) && !code.contains("using:") {
                faults.append("line \(number + 1) calls \(call)")
            }
        }
        return faults
    }

    @Test(arguments: modules) func modulesOfTheInnerRingArePure(_ module: String) throws {
        let files = Self.sources(of: module)
        #expect(!files.isEmpty)
        for file in files {
            let faults = Self.faults(in: try String(contentsOf: file, encoding: .utf8))
            #expect(faults.isEmpty, "\(module)/\(file.lastPathComponent): \(faults)")
        }
    }

    @Test func theCheckSeesWhatItLooksFor() {
        let bad = [
            "import Foundation", "@preconcurrency import NIOCore", "    let now = Date()", "Task { }",
            "try await something()", "var generator = SystemRandomNumberGenerator()", "Int.random(in: 0..<3)",
        ]
        for line in bad { #expect(!Self.faults(in: line).isEmpty, "\(line)") }
        for line in [
            "import Raft", "/// like a Task in Foundation", "let awaited = 1",
            "Int.random(in: 1...2, using: &generator)",
        ] {
            #expect(Self.faults(in: line).isEmpty, "\(line)")
        }
    }
}
