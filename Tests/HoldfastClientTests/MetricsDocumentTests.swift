import Foundation
import Testing

/// The table of metrics in `docs/operating.md` and what nodes show have the same names.
struct MetricsDocumentTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func names(in path: String, after mark: String) throws -> Set<String> {
        let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
        let parts = text.components(separatedBy: mark + "holdfast_").dropFirst()
        return Set(parts.map { "holdfast_" + $0.prefix { $0.isLetter || $0 == "_" } })
    }

    @Test func everyMetricIsExplainedAndNoOther() throws {
        let shown = try Self.names(in: "Sources/EdgeNode/HTTP/MetricsPage.swift", after: "\"")
        let explained = try Self.names(in: "docs/operating.md", after: "`")
        #expect(shown.count > 60)
        #expect(shown.subtracting(explained).sorted() == [])
        #expect(explained.subtracting(shown).sorted() == [])
    }
}
