import Testing

@testable import Placement

@Suite("Shared map")
struct SharedMapTests {
    @Test("agrees with a dictionary under random changes, and stays in order", arguments: 0..<10)
    func slowTwin(seed: Int) {
        var dice = Dice(seed: UInt64(seed))
        var map = SharedMap<Int>()
        var twin: [String: Int] = [:]
        for step in 0..<3_000 {
            let name = "k\(dice.below(700))"
            switch dice.below(4) {
            case 0, 1:
                map.set(step, for: ExactText(name))
                twin[name] = step
            case 2:
                map.update(ExactText(name)) { $0 += 1 }
                twin[name]? += 1
            default:
                map.remove(ExactText(name))
                twin[name] = nil
            }
            let other = "k\(dice.below(700))"
            #expect(map[ExactText(other)] == twin[other])
        }
        #expect(map.count == twin.count)
        #expect(map.entries.map(\.key.text) == twin.keys.sorted { ExactText($0) < ExactText($1) })
        #expect(map.entries.allSatisfy { twin[$0.key.text] == $0.value })
    }

    @Test("maps with the same contents are equal, whatever their past")
    func equality() {
        let names = (0..<500).map { ExactText("name-\($0)") }
        var one = SharedMap<Int>()
        var two = SharedMap<Int>()
        for (value, name) in names.enumerated() { one.set(value, for: name) }
        for (value, name) in names.enumerated().reversed() { two.set(value, for: name) }
        #expect(one == two)
        two.update(names[77]) { $0 += 1 }
        #expect(one != two)
        two.remove(names[77])
        #expect(one != two)
    }

    @Test("a copy keeps what it had")
    func copies() {
        var map = SharedMap<Int>()
        for value in 0..<300 { map.set(value, for: ExactText("\(value)")) }
        let copy = map
        for value in 0..<300 { map.remove(ExactText("\(value)")) }
        #expect(map.isEmpty && map.entries.isEmpty)
        #expect(copy.count == 300 && copy[ExactText("299")] == 299)
    }
}
