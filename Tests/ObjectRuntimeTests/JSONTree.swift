import Foundation

@testable import ObjectRuntime

/// A value as a tree: the slow, obvious twin of what the runtime does on text.
indirect enum JSONTree: Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSONTree])
    case object([(name: String, value: JSONTree)])

    /// Objects are equal whatever the order of their members; the last of one name counts.
    static func == (left: JSONTree, right: JSONTree) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let first), .boolean(let second)): first == second
        case (.number(let first), .number(let second)): first == second
        case (.string(let first), .string(let second)): first.utf8.elementsEqual(second.utf8)
        case (.array(let first), .array(let second)): first == second
        case (.object(let first), .object(let second)): table(first) == table(second)
        default: false
        }
    }

    private static func table(_ members: [(name: String, value: JSONTree)]) -> [Data: JSONTree] {
        Dictionary(members.map { (Data($0.name.utf8), $0.value) }, uniquingKeysWith: { $1 })
    }

    /// As Foundation reads it.
    static func foundation(_ text: [UInt8]) throws -> JSONTree {
        convert(try JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed))
    }

    private static func convert(_ value: Any) -> JSONTree {
        switch value {
        case let members as [String: Any]: .object(members.map { ($0.key, convert($0.value)) })
        case let elements as [Any]: .array(elements.map(convert))
        case let text as String: .string(text)
        case let number as NSNumber:
            isBoolean(number) ? .boolean(number.boolValue) : .number(number.doubleValue)
        default: .null
        }
    }

    /// JSONSerialization makes numbers of the type `char` of booleans only.
    private static func isBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }

    /// As our scanner walks it.
    static func scanned(_ text: [UInt8]) throws -> JSONTree {
        try text.withUnsafeBufferPointer { buffer in
            let scanner = JSONScanner(buffer)
            return try scanned(scanner, try scanner.document().range, text)
        }
    }

    private static func scanned(_ scanner: JSONScanner, _ range: Range<Int>, _ text: [UInt8]) throws
        -> JSONTree
    {
        switch JSONKind(firstByte: text[range.lowerBound]) {
        case .null: return .null
        case .boolean: return .boolean(text[range.lowerBound] == UInt8(ascii: "t"))
        case .number: return .number(JSONNumber.parse(text[range]))
        case .string: return .string(String(decoding: scanner.unescaped(range).bytes, as: UTF8.self))
        case .array:
            var elements: [JSONTree] = []
            var cursor = JSONElementCursor(scanner, arrayAt: range.lowerBound)
            while let element = try cursor.next() {
                elements.append(try scanned(scanner, element.range, text))
            }
            return .array(elements)
        case .object:
            var members: [(String, JSONTree)] = []
            var cursor = JSONMemberCursor(scanner, objectAt: range.lowerBound)
            while let member = try cursor.next() {
                let name = String(decoding: scanner.unescaped(member.name).bytes, as: UTF8.self)
                members.append((name, try scanned(scanner, member.value, text)))
            }
            return .object(members)
        }
    }
}
