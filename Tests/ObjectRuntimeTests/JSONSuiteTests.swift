import Foundation
import Testing

@testable import ObjectRuntime

/// The parsing cases of nst/JSONTestSuite, where they are at hand.
@Suite struct JSONSuiteTests {
    static let directory = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("../shared/data/json-test-suite").standardizedFileURL

    static var isPresent: Bool { FileManager.default.fileExists(atPath: directory.path) }

    private func cases(_ prefix: String) throws -> [(name: String, bytes: [UInt8])] {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.directory.path).sorted()
        return try names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }
            .map { ($0, [UInt8](try Data(contentsOf: Self.directory.appendingPathComponent($0)))) }
    }

    @Test(.enabled(if: isPresent, "the JSON test suite is not at ../shared/data"))
    func everythingValidIsAccepted() throws {
        let cases = try cases("y_")
        #expect(cases.count > 90)
        for (name, bytes) in cases {
            #expect(throws: Never.self, "\(name)") { try JSONScanner.check(bytes) }
        }
    }

    @Test(.enabled(if: isPresent, "the JSON test suite is not at ../shared/data"))
    func everythingInvalidIsRefused() throws {
        let cases = try cases("n_")
        #expect(cases.count > 180)
        for (name, bytes) in cases {
            #expect(throws: JSONFault.self, "\(name)") { try JSONScanner.check(bytes) }
        }
    }

    @Test(.enabled(if: isPresent, "the JSON test suite is not at ../shared/data"))
    func whatIsOpenNeverTraps() throws {
        for (_, bytes) in try cases("i_") { _ = try? JSONScanner.check(bytes) }
    }
}
