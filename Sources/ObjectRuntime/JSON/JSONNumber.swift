/// Numbers as ECMAScript reads and prints them.
public enum JSONNumber {
    /// The double nearest to a valid JSON number; infinite if it is out of range.
    public static func parse(_ text: some Collection<UInt8>) -> Double {
        if let small = smallInteger(text) { return small }
        return Double(String(decoding: text, as: UTF8.self)) ?? .nan
    }

    /// Up to 15 digits are exact without any rounding.
    private static func smallInteger(_ text: some Collection<UInt8>) -> Double? {
        guard text.count <= 15 else { return nil }
        var value: Int64 = 0
        var isNegative = false
        for byte in text {
            if byte == JSONByte.minus {
                guard value == 0, !isNegative else { return nil }
                isNegative = true
                continue
            }
            let digit = byte &- JSONByte.zero
            guard digit <= 9 else { return nil }
            value = value * 10 + Int64(digit)
        }
        return isNegative ? -Double(value) : Double(value)
    }

    /// `Number.prototype.toString` of a finite number, as `JSON.stringify` uses it; -0 is 0.
    public static func text(_ value: Double) -> [UInt8] {
        precondition(value.isFinite, "only finite numbers have a JSON text")
        var output: [UInt8] = []
        if value.magnitude < 1e15, value == value.rounded(.towardZero) {
            if value < 0 { output.append(JSONByte.minus) }
            appendDecimal(UInt64(value.magnitude), to: &output)
            return output
        }
        if value < 0 { output.append(JSONByte.minus) }
        let shortest = ShortestDigits(value.magnitude)
        shortest.append(to: &output)
        return output
    }
}

/// The fewest digits that name a double: value = 0.digits × 10^pointPosition.
private struct ShortestDigits {
    private var digits: [UInt8] = []
    private var pointPosition = 0

    /// Takes Swift's own shortest digits apart.
    init(_ value: Double) {
        var sawPoint = false
        var exponentText: [UInt8] = []
        var inExponent = false
        for byte in value.description.utf8 {
            if inExponent {
                exponentText.append(byte)
            } else if byte == UInt8(ascii: "e") {
                inExponent = true
            } else if byte == JSONByte.point {
                sawPoint = true
            } else {
                if !sawPoint { pointPosition += 1 }
                digits.append(byte)
            }
        }
        pointPosition += Int(String(decoding: exponentText, as: UTF8.self)) ?? 0
        trimZeros()
    }

    private mutating func trimZeros() {
        while digits.last == JSONByte.zero { digits.removeLast() }
        let leading = digits.prefix { $0 == JSONByte.zero }.count
        digits.removeFirst(leading)
        pointPosition -= leading
    }

    func append(to output: inout [UInt8]) {
        let count = digits.count
        switch pointPosition {
        case count...21 where count <= 21:
            output += digits
            output += repeatElement(JSONByte.zero, count: pointPosition - count)
        case 1...21:
            output += digits[..<pointPosition]
            output.append(JSONByte.point)
            output += digits[pointPosition...]
        case -5...0:
            output += [JSONByte.zero, JSONByte.point]
            output += repeatElement(JSONByte.zero, count: -pointPosition)
            output += digits
        default:
            appendExponential(to: &output)
        }
    }

    private func appendExponential(to output: inout [UInt8]) {
        output.append(digits[0])
        if digits.count > 1 {
            output.append(JSONByte.point)
            output += digits[1...]
        }
        let exponent = pointPosition - 1
        output += [UInt8(ascii: "e"), exponent < 0 ? JSONByte.minus : JSONByte.plus]
        appendDecimal(UInt64(exponent.magnitude), to: &output)
    }
}

/// Appends a number in decimal digits.
func appendDecimal(_ value: UInt64, to output: inout [UInt8]) {
    if value < 10 {
        output.append(JSONByte.zero + UInt8(value))
        return
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { buffer in
        var position = 20
        var rest = value
        while rest > 0 {
            position -= 1
            buffer[position] = JSONByte.zero + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[position..<20]))
    }
}
