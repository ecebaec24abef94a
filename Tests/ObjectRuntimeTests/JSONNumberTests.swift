import Testing

@testable import ObjectRuntime

@Suite struct JSONNumberTests {
    private func text(_ value: Double) -> String { String(decoding: JSONNumber.text(value), as: UTF8.self) }

    @Test(arguments: [
        (0, "0"), (-0.0, "0"), (1, "1"), (-1, "-1"), (1.5, "1.5"), (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (100, "100"), (1e15, "1000000000000000"), (1e16, "10000000000000000"),
        (123_456_789_012_345_683_968, "123456789012345680000"),
        (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.5e21, "1.5e+21"), (1e300, "1e+300"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"), (1.5e-7, "1.5e-7"), (.leastNonzeroMagnitude, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (-1e-7, "-1e-7"), (0.000123, "0.000123"), (123.456, "123.456"),
        (9_007_199_254_740_992, "9007199254740992"),
        (4.35, "4.35"), (2e-5, "0.00002"), (12345678901234.5, "12345678901234.5"),
        (999999999999999.9, "999999999999999.9"),
    ])
    func numbersPrintAsInJavaScript(value: Double, expected: String) {
        #expect(text(value) == expected)
    }

    @Test func everyFiniteNumberComesBack() throws {
        var random = SplitMix(seed: 21)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            let printed = JSONNumber.text(value)
            #expect(JSONNumber.parse(printed) == value)
            #expect(throws: Never.self) { try JSONScanner.check(printed) }
        }
    }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("-17", -17), ("999999999999999", 999_999_999_999_999),
        ("9007199254740993", 9_007_199_254_740_992),
        ("1e3", 1000), ("1E-2", 0.01), ("0.1", 0.1),
        ("123456789012345678901234567890", 1.2345678901234568e29),
        ("1e400", .infinity), ("-1e400", -.infinity), ("1e-400", 0),
        ("2.2250738585072011e-308", .leastNormalMagnitude.nextDown),
    ])
    func numbersAreReadAsTheNearestDouble(text: String, expected: Double) {
        #expect(JSONNumber.parse(Array(text.utf8)) == expected)
    }
}
