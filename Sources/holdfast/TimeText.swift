import Glibc

/// Times on the command line.
enum TimeText {
    /// `2026-11-26T03:00:00Z`, with a fraction of up to three digits if wanted, or milliseconds since 1970.
    static func milliseconds(_ text: String) -> UInt64? {
        if let number = UInt64(text) { return number }
        guard text.hasSuffix("Z") else { return nil }
        let halves = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
        guard halves.count <= 2, let seconds = seconds(Array(halves[0].utf8)) else { return nil }
        guard halves.count == 2 else { return seconds * 1_000 }
        guard (1...3).contains(halves[1].count), let fraction = UInt64(halves[1]) else { return nil }
        return seconds * 1_000 + fraction * [100, 10, 1][halves[1].count - 1]
    }

    /// `2026-11-26T03:00:00Z`, from milliseconds since 1970.
    static func utc(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Every field has its place and its digits; a date that no calendar has is refused.
    private static func seconds(_ text: [UInt8]) -> UInt64? {
        let pattern = Array("dddd-dd-ddTdd:dd:dd".utf8)
        let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        guard text.count == pattern.count,
            zip(text, pattern).allSatisfy({ $1 == UInt8(ascii: "d") ? isDigit($0) : $0 == $1 })
        else { return nil }
        let field = { (range: Range<Int>) in text[range].reduce(Int32(0)) { $0 * 10 + Int32($1) - 48 } }
        var parts = tm()
        parts.tm_year = field(0..<4) - 1_900
        parts.tm_mon = field(5..<7) - 1
        parts.tm_mday = field(8..<10)
        parts.tm_hour = field(11..<13)
        parts.tm_min = field(14..<16)
        parts.tm_sec = field(17..<19)
        let asked = parts
        let seconds = timegm(&parts)
        // What is out of its bounds comes back as something else.
        guard seconds >= 0, parts.tm_mon == asked.tm_mon, parts.tm_mday == asked.tm_mday,
            parts.tm_hour == asked.tm_hour, parts.tm_min == asked.tm_min, parts.tm_sec == asked.tm_sec
        else { return nil }
        return UInt64(seconds)
    }
}

/// Milliseconds since 1970.
func wallMs() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}
