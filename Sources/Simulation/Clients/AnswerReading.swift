import Cluster
import ObjectRuntime

/// Turns an answer into what the history calls it.
enum AnswerReading {
    enum Meaning {
        case settled(Outcome)
        /// Certainly not applied by this try; another may be made.
        case notApplied
        case mayBeApplied
        /// No answer that the interface knows.
        case malformed(String)
    }

    static func meaning(of answer: ClientAnswer, to step: Workload.Step) -> Meaning {
        switch answer.reply {
        case .json(let body): return observation(in: body, step)
        case .absent: return .settled(.answered(.absent, version: 0))
        case .noContent: return .settled(.answered(.nothing, version: 0))
        case .hearing: return .malformed("a hearing, which is for edges")
        case .refused(let refusal):
            if answer.applied == .unknown { return .mayBeApplied }
            guard answer.applied == .no else { return .malformed("refused, yet applied: \(refusal.code)") }
            if refusal.code.hasSuffix("updatedAt.mismatch") { return .settled(.conflict) }
            guard refusal.status == 503 || refusal.status == 429 else {
                return .malformed("\(refusal.status) \(refusal.code): \(refusal.message)")
            }
            return .notApplied
        }
    }

    private static func observation(in body: [UInt8], _ step: Workload.Step) -> Meaning {
        let text = String(decoding: body, as: UTF8.self)
        guard let version = number(after: "\"updatedAt\":", in: body) else {
            return .malformed("an item without updatedAt: \(text)")
        }
        guard let start = position(after: "\"value\":", in: body) else {
            return .malformed("an item without value: \(text)")
        }
        let values = numbers(in: body, from: start)
        if step.item.hasPrefix("list") { return .settled(.answered(.list(values), version: version)) }
        guard let value = values.first else { return .malformed("no number as value: \(text)") }
        if step.item == "counter" { return .settled(.answered(.number(Int64(value)), version: version)) }
        return .settled(.answered(.value(value), version: version))
    }

    /// One number, or those of an array.
    private static func numbers(in body: [UInt8], from start: Int) -> [UInt64] {
        guard start < body.count, body[start] == UInt8(ascii: "[") else {
            return number(in: body, at: start).map { [$0.value] } ?? []
        }
        var values: [UInt64] = []
        var place = start + 1
        while place < body.count, body[place] != UInt8(ascii: "]") {
            if let found = number(in: body, at: place) {
                values.append(found.value)
                place = found.end
            } else {
                place += 1
            }
        }
        return values
    }

    private static func number(after marker: String, in body: [UInt8]) -> UInt64? {
        position(after: marker, in: body).flatMap { number(in: body, at: $0)?.value }
    }

    private static func number(in body: [UInt8], at start: Int) -> (value: UInt64, end: Int)? {
        var place = start
        var value: UInt64 = 0
        while place < body.count, (48...57).contains(body[place]) {
            value = value &* 10 &+ UInt64(body[place] - 48)
            place += 1
        }
        return place == start ? nil : (value, place)
    }

    private static func position(after marker: String, in body: [UInt8]) -> Int? {
        let wanted = Array(marker.utf8)
        guard body.count >= wanted.count else { return nil }
        for start in 0...body.count - wanted.count
        where body[start..<start + wanted.count].elementsEqual(wanted) {
            return start + wanted.count
        }
        return nil
    }
}
