import Testing

@testable import ObjectRuntime

struct NameTableTests {
    /// Against a dictionary, with names that begin alike, the empty one, and more than the first slots hold.
    @Test func everyNameHasOneNumberInTheOrderOfTheirComing() {
        var random = RandomJSON(seed: 17)
        var table = NameTable()
        var twin: [[UInt8]: Int] = [:]
        for _ in 0..<5_000 {
            let name = Array(repeating: UInt8(ascii: "a"), count: random.below(12)) + [UInt8(random.below(256))]
                .prefix(random.below(2))
            #expect(name.withUnsafeBufferPointer { table.number(of: $0) } == twin[name])
            let number = name.withUnsafeBufferPointer { table.insert($0) }
            #expect(number == twin[name, default: twin.count])
            twin[name] = number
            #expect(table.count == twin.count)
        }
        #expect(twin.count > 1_000)
        for (name, number) in twin { #expect(name.withUnsafeBufferPointer { table.number(of: $0) } == number) }
    }
}
