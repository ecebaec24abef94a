import Glibc
import HoldfastClient

/// One page for a whole matrix: the results of its pairs, put into a template that needs nothing else.
enum ReportPage {
    /// With links to the histories if the page comes to lie beside them.
    static func write(directory: String, to path: String) throws {
        let results = try names(in: directory).map { try JSON(parsing: LocalFile.read(directory + "/" + $0)) }
        guard !results.isEmpty else {
            throw LocalCluster.Unusable(description: "no results of pairs in \(directory)")
        }
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let isBeside = resolved(directory) == resolved(folder.isEmpty && !path.hasPrefix("/") ? "." : folder + "/")
        try TextFile.write(page(results, linksHistories: isBeside), to: path)
    }

    static func page(_ results: [JSON], linksHistories: Bool) -> String {
        // The data stands in a script: nothing in it may end that.
        let data = JSON.array(results).description.replacing("</", with: "<\\/")
        return String(decoding: PackageResources.report_html, as: UTF8.self)
            .replacing("/*LINKS*/", with: linksHistories ? "true" : "false")
            .replacing("/*RESULTS*/", with: data)
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// In the order of the nemeses and workloads.
    private static func names(in directory: String) throws -> [String] {
        NemesisKind.allCases.flatMap { nemesis in
            WorkloadKind.allCases.map { "\(nemesis.rawValue)-\($0.rawValue)\(PairResult.fileEnding)" }
        }
        .filter { access("\(directory)/\($0)", R_OK) == 0 }
    }
}
