import HoldfastClient

/// Reads the one flat format of a configuration file: TOML's `key = value` lines with strings, whole
/// numbers, booleans and arrays of strings on one line, and comments; or one flat JSON object.
enum ConfigurationText {
    /// `file` names the source in complaints; a name that ends in `.json` selects JSON.
    static func settings(_ text: String, file: String) throws(ConfigurationFault) -> [RawSetting] {
        let settings =
            file.hasSuffix(".json") ? try fromJSON(text, file: file) : try fromTOML(text, file: file)
        for (position, setting) in settings.enumerated() {
            if let earlier = settings[..<position].first(where: { $0.name == setting.name }) {
                throw ConfigurationFault(
                    "\(setting.source): '\(setting.name)' was already set, \(earlier.source)")
            }
        }
        return settings
    }

    private static func fromJSON(_ text: String, file: String) throws(ConfigurationFault) -> [RawSetting] {
        let document: JSON
        do {
            document = try JSON(parsing: text)
        } catch {
            throw ConfigurationFault("\(file): \(error)")
        }
        guard let members = document.members else { throw ConfigurationFault("\(file): not a JSON object") }
        var settings: [RawSetting] = []
        for member in members {
            guard let value = rawValue(member.value) else {
                throw ConfigurationFault(
                    "\(file): '\(member.name)' is neither a scalar nor a list of strings")
            }
            settings.append(RawSetting(name: member.name, value: value, source: file))
        }
        return settings
    }

    private static func rawValue(_ json: JSON) -> RawValue? {
        switch json {
        case .string(let text), .number(let text): return .scalar(text)
        case .bool(let flag): return .scalar(flag ? "true" : "false")
        case .array(let elements):
            let texts = elements.compactMap(\.text)
            return texts.count == elements.count ? .list(texts) : nil
        case .null, .object: return nil
        }
    }

    private static func fromTOML(_ text: String, file: String) throws(ConfigurationFault) -> [RawSetting] {
        var settings: [RawSetting] = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (position, line) in lines.enumerated() {
            let source = "\(file) line \(position + 1)"
            var reader = TOMLLine(line.last == "\r" ? line.dropLast() : line)
            do {
                if let (name, value) = try reader.setting() {
                    settings.append(RawSetting(name: name, value: value, source: source))
                }
            } catch {
                throw ConfigurationFault("\(source): \(error.reason)")
            }
        }
        return settings
    }
}

/// One line of the TOML subset.
private struct TOMLLine {
    struct Fault: Error {
        let reason: String
    }

    private var rest: Substring.UnicodeScalarView

    init(_ line: Substring) {
        rest = line.unicodeScalars
    }

    /// `nil` for an empty line or a comment.
    mutating func setting() throws(Fault) -> (String, RawValue)? {
        skipBlanks()
        guard let first = rest.first, first != "#" else { return nil }
        guard first != "[" else { throw Fault(reason: "sections are not used here") }
        let name = takeWhile { Self.isBare($0) }
        guard !name.isEmpty else { throw Fault(reason: "expected a setting's name") }
        skipBlanks()
        guard take("=") else { throw Fault(reason: "expected '=' after '\(name)'") }
        skipBlanks()
        let value = try value()
        skipBlanks()
        guard rest.isEmpty || rest.first == "#" else {
            throw Fault(reason: "text behind the value of '\(name)'")
        }
        return (name, value)
    }

    private mutating func value() throws(Fault) -> RawValue {
        if rest.first == "[" { return .list(try list()) }
        return .scalar(try scalar())
    }

    private mutating func scalar() throws(Fault) -> String {
        if take("\"") { return try basicString() }
        if take("'") {
            let text = takeWhile { $0 != "'" }
            guard take("'") else { throw Fault(reason: "string without its end") }
            return text
        }
        let text = takeWhile { Self.isBare($0) || $0 == "+" || $0 == "." }
        let isNumber = !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isNumber || "+-_".contains($0)) }
        guard text == "true" || text == "false" || isNumber else {
            throw Fault(reason: "expected a quoted string, a whole number, true, false or a list")
        }
        return String(text.filter { $0 != "_" && $0 != "+" })
    }

    private mutating func basicString() throws(Fault) -> String {
        var text = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return String(text)
            case "\\":
                switch rest.popFirst() {
                case "n": text.append("\n")
                case "t": text.append("\t")
                case "\"": text.append("\"")
                case "\\": text.append("\\")
                default: throw Fault(reason: "unknown escape in a string")
                }
            default: text.append(scalar)
            }
        }
        throw Fault(reason: "string without its end")
    }

    private mutating func list() throws(Fault) -> [String] {
        _ = take("[")
        var elements: [String] = []
        while true {
            skipBlanks()
            if take("]") { return elements }
            guard rest.first == "\"" || rest.first == "'" else {
                throw Fault(reason: "lists hold quoted strings")
            }
            elements.append(try scalar())
            skipBlanks()
            if take("]") { return elements }
            guard take(",") else { throw Fault(reason: "expected ',' or ']' in a list, on the same line") }
        }
    }

    private mutating func skipBlanks() {
        while rest.first == " " || rest.first == "\t" { rest.removeFirst() }
    }

    private mutating func take(_ scalar: UnicodeScalar) -> Bool {
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func takeWhile(_ accept: (UnicodeScalar) -> Bool) -> String {
        var taken = String.UnicodeScalarView()
        while let scalar = rest.first, accept(scalar) {
            taken.append(scalar)
            rest.removeFirst()
        }
        return String(taken)
    }

    private static func isBare(_ scalar: UnicodeScalar) -> Bool {
        scalar.isASCII
            && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-"
                || scalar == "_")
    }
}
