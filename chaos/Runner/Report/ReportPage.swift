import Glibc
import HoldfastClient

/// One page for a whole matrix: the results of its pairs, put into a template that needs nothing else.
enum ReportPage {
    private static let dataMark = "/*RESULTS*/"

    static func write(directory: String, to path: String) throws {
        let results = try names(in: directory).map { try JSON(parsing: LocalFile.read(directory + "/" + $0)) }
        guard !results.isEmpty else {
            throw LocalCluster.Unusable(description: "no results of pairs in \(directory)")
        }
        try TextFile.write(page(results), to: path)
    }

    static func page(_ results: [JSON]) -> String {
        let template = String(decoding: PackageResources.report_html, as: UTF8.self)
        // The data stands in a script: nothing in it may end that.
        let data = JSON.array(results).description.replacing("</", with: "<\\/")
        let parts = template.split(separator: dataMark, maxSplits: 1, omittingEmptySubsequences: false)
        return parts.joined(separator: data)
    }

    /// In the order of the nemeses and workloads.
    private static func names(in directory: String) throws -> [String] {
        NemesisKind.allCases.flatMap { nemesis in
            WorkloadKind.allCases.map { "\(nemesis.rawValue)-\($0.rawValue)\(PairResult.fileEnding)" }
        }
        .filter { access("\(directory)/\($0)", R_OK) == 0 }
    }
}
