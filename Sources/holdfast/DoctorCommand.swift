import ArgumentParser
import EdgeNode
import HoldfastClient
import Storage

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at a node's files, running or stopped, and say what is wrong.",
        discussion: "Changes nothing. Exit codes: 0 sound, 1 damaged.")

    @Option(name: .long, help: ArgumentHelp("The node's data directory.", valueName: "directory"))
    var data: String

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The node's certificates; else those with which it was started last.", valueName: "directory"))
    var tlsDirectory: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Keys of what is encrypted; or HOLDFAST_DATA_KEY.", valueName: "file"))
    var dataKeyFile: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
        let report = NodeDoctor.examine(dataDirectory: data, tlsDirectory: tlsDirectory, keys: try dataKeys(file: dataKeyFile))
        print(output.json ? report.json.description : report.text)
        if report.isDamaged { endProgram(withStatus: ExitStatus.failed) }
    }
}

/// From a file, else from the environment; nil if neither says any.
func dataKeys(file: String?) throws(DataKeyFault) -> DataKeys? {
    if let file { return try DataKeys(file: file) }
    guard let text = environment("HOLDFAST_DATA_KEY") else { return nil }
    return try DataKeys(parsing: text, source: "HOLDFAST_DATA_KEY")
}

extension DoctorReport {
    var json: JSON {
        .object([
            JSON.Member("directory", .string(directory)),
            JSON.Member("process", process.map { .integer($0) } ?? .null),
            JSON.Member("damaged", .bool(isDamaged)),
            JSON.Member(
                "findings",
                .array(
                    findings.map {
                        [
                            "part": .string($0.part), "state": .string($0.grade.rawValue), "where": .string($0.place),
                            "what": .string($0.what), "remedy": .string($0.remedy),
                        ]
                    })),
        ])
    }

    /// A table, and below it what to do.
    var text: String {
        var table = TextTable("PART", "STATE", "WHAT", "WHERE")
        for finding in findings { table.add(finding.part, finding.grade.rawValue, finding.what, finding.place) }
        let use = process.map { "process \($0) uses it" } ?? "no process uses it"
        let remedies = findings.filter { !$0.remedy.isEmpty }.map { "\($0.part): \($0.remedy)" }
        let end = isDamaged ? "damaged" : "sound as far as could be seen"
        return (["\(directory), \(use)", "", table.text, ""] + remedies + [end]).joined(separator: "\n")
    }
}
