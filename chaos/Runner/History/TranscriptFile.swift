import HoldfastClient
import LiveChecks
import Simulation

/// A transcript as JSON lines: who it is of, then one operation, event or list each. The operations look as
/// in every history.
enum TranscriptFile {
    struct Malformed: Error, CustomStringConvertible {
        var line: Int
        var description: String { "line \(line) is none of a history" }
    }

    static func write(_ transcript: Transcript, to path: String) throws {
        try HistoryFile.write(lines(transcript), to: path)
    }

    static func read(_ path: String) throws -> Transcript {
        try parse(LocalFile.readText(path))
    }

    static func parse(_ text: String) throws(Malformed) -> Transcript {
        var transcript = Transcript()
        for (number, line) in text.split(separator: "\n").enumerated() {
            guard let json = try? JSON(parsing: Array(line.utf8)), transcript.take(json) else {
                throw Malformed(line: number + 1)
            }
        }
        return transcript
    }

    static func lines(_ transcript: Transcript) -> [JSON] {
        var lines: [JSON] = [
            [
                "workload": .string(transcript.workload), "nemesis": .string(transcript.nemesis),
                "seed": .integer(transcript.seed),
            ]
        ]
        lines += transcript.operations.map(HistoryFile.json)
        lines += transcript.final.map { ["final": .string($0.object), "shows": HistoryFile.json($0.shows)] }
        lines += transcript.acknowledged.map { ["acknowledged": json($0)] }
        lines += transcript.unknown.map { ["unknown": .integer($0)] }
        lines += transcript.hearings.map(json)
        lines += transcript.lists.map { ["list": .array($0.map { .string($0) })] }
        lines += transcript.impossible.map { ["impossible": .string($0)] }
        lines += transcript.overdue.map { ["overdue": .string($0)] }
        lines.append(["failedAtSurvivors": .integer(transcript.failedAtSurvivors)])
        return lines
    }

    /// Value, epoch, index: there are many of them.
    private static func json(_ write: SeenWrite) -> JSON {
        [.integer(write.value), .integer(write.position.epoch), .integer(write.position.index)]
    }

    private static func json(_ hearing: Hearing) -> JSON {
        let presence: [JSON] = hearing.presence.map { [$0.isJoin ? "join" : "leave", .string($0.id)] }
        return [
            "heardBy": .string(hearing.name), "writes": .array(hearing.writes.map(json)),
            "breaks": .array(hearing.breaks.map { .integer($0) }),
            "connectionId": hearing.connectionID.map { .string($0) } ?? .null, "presence": .array(presence),
            "presenceBreaks": .array(hearing.presenceBreaks.map { .integer($0) }),
        ]
    }
}

extension Transcript {
    /// False if the line is none of a history.
    fileprivate mutating func take(_ json: JSON) -> Bool {
        switch json.members?.first?.name {
        case "workload": return takeHeader(json)
        case "client": return append(RecordedOperation(json), to: \.operations)
        case "final": return append(Final(json), to: \.final)
        case "acknowledged": return append(json["acknowledged"].flatMap(SeenWrite.init(json:)), to: \.acknowledged)
        case "unknown": return append(json["unknown"]?.int, to: \.unknown)
        case "heardBy": return append(Hearing(json), to: \.hearings)
        case "list": return append(json["list"].flatMap(texts), to: \.lists)
        case "impossible": return append(json["impossible"]?.text, to: \.impossible)
        case "overdue": return append(json["overdue"]?.text, to: \.overdue)
        case "failedAtSurvivors":
            failedAtSurvivors = json["failedAtSurvivors"]?.int ?? 0
            return true
        default: return false
        }
    }

    private mutating func takeHeader(_ json: JSON) -> Bool {
        guard let workload = json["workload"]?.text, let nemesis = json["nemesis"]?.text,
            let seed = json["seed"].flatMap(UInt64.init(json:))
        else { return false }
        (self.workload, self.nemesis, self.seed) = (workload, nemesis, seed)
        return true
    }

    private mutating func append<Element>(
        _ element: Element?, to list: WritableKeyPath<Transcript, [Element]>
    ) -> Bool {
        guard let element else { return false }
        self[keyPath: list].append(element)
        return true
    }
}

/// `nil` if not all of them are texts.
private func texts(_ json: JSON) -> [String]? { all(json) { $0.text } }

private func all<Element>(_ json: JSON?, _ read: (JSON) -> Element?) -> [Element]? {
    guard let elements = json?.elements else { return nil }
    let values = elements.compactMap(read)
    return values.count == elements.count ? values : nil
}

extension Transcript.Final {
    fileprivate init?(_ json: JSON) {
        guard let object = json["final"]?.text, let shows = json["shows"].flatMap(Observation.init) else { return nil }
        self.init(object: object, shows: shows)
    }
}

extension SeenWrite {
    fileprivate init?(json: JSON) {
        guard let numbers = all(json, UInt64.init(json:)), numbers.count == 3 else { return nil }
        self.init(position: EventPosition(epoch: numbers[1], index: numbers[2]), value: Int(numbers[0]))
    }
}

extension Hearing {
    fileprivate init?(_ json: JSON) {
        guard let name = json["heardBy"]?.text, let writes = all(json["writes"], SeenWrite.init(json:)),
            let breaks = all(json["breaks"], { $0.int }), let presence = all(json["presence"], Presence.init),
            let presenceBreaks = all(json["presenceBreaks"], { $0.int })
        else { return nil }
        self.init(
            name: name, writes: writes, breaks: breaks, connectionID: json["connectionId"]?.text, presence: presence,
            presenceBreaks: presenceBreaks)
    }
}

extension Hearing.Presence {
    fileprivate init?(_ json: JSON) {
        guard let words = texts(json), words.count == 2, words[0] == "join" || words[0] == "leave" else { return nil }
        self.init(isJoin: words[0] == "join", id: words[1])
    }
}
