import Glibc
import Testing

@testable import Storage

@Suite struct ColdFileTests {
    private let directory = TemporaryDirectory()

    private func bytes(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    private func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : -1
    }

    @Test(arguments: 1...6) func keepsWhatADictionaryKeeps(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let file = try ColdFile.open(directory: directory.path, loop: 3)
        var held: [(slot: UInt64, bytes: [UInt8])] = []
        for _ in 0..<1500 {
            if held.isEmpty || Int.random(in: 0..<5, using: &generator) < 3 {
                let most = [60, 300, 5_000, 70_000][Int.random(in: 0..<4, using: &generator)]
                let stored = bytes(Int.random(in: 0...most, using: &generator) / 4, &generator)
                held.append((try file.store(stored), stored))
            } else {
                let one = held.remove(at: Int.random(in: 0..<held.count, using: &generator))
                #expect(try file.load(one.slot) == one.bytes)
                file.release(one.slot)
            }
        }
        #expect(Set(held.map(\.slot)).count == held.count)
        for one in held { #expect(try file.load(one.slot) == one.bytes) }
        for one in held { file.release(one.slot) }
        #expect(file.byteCount == 0)
        #expect(size(of: file.path) < ColdFile.slackBytes)
    }

    @Test func everyFlippedBitIsNoticed() throws {
        var generator = SeededGenerator(state: 5)
        let file = try ColdFile.open(directory: directory.path, loop: 0)
        let stored = bytes(90, &generator)
        let slot = try file.store(stored)
        let whole = readFile(file.path)
        for bit in 0..<whole.count * 8 {
            var flipped = whole
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            overwrite(file.path, flipped)
            #expect(throws: ColdFileError.self) { try file.load(slot) }
        }
        overwrite(file.path, whole)
        #expect(try file.load(slot) == stored)
    }

    @Test func bytesOfAnotherSlotAndACutFileAreNoticed() throws {
        var generator = SeededGenerator(state: 6)
        let file = try ColdFile.open(directory: directory.path, loop: 0)
        let stored = bytes(56, &generator)
        let slots = [try file.store(stored), try file.store(stored)]
        let whole = readFile(file.path)
        overwrite(file.path, Array(whole[64...] + whole[..<64]))
        for slot in slots { #expect(throws: ColdFileError.self) { try file.load(slot) } }
        overwrite(file.path, whole)
        truncate(file.path, 100)
        #expect(try file.load(slots[0]) == stored)
        #expect(throws: ColdFileError.self) { try file.load(slots[1]) }
        truncate(file.path, 0)
        let complaint = #expect(throws: ColdFileError.self) { try file.load(slots[0]) }
        #expect(complaint?.description.contains("\(directory.path)/cold-0: the slot at offset 0") == true)
    }

    private func overwrite(_ path: String, _ bytes: [UInt8]) {
        let descriptor = open(path, O_WRONLY)
        defer { close(descriptor) }
        let code = bytes.withUnsafeBytes { SystemDisk().write($0, to: descriptor, at: 0) }
        precondition(code == 0)
    }

    @Test func aFullDiskTakesNothingAndLosesNothing() throws {
        let disk = FaultyDisk()
        let file = try ColdFile.open(directory: directory.path, loop: 0, disk: disk)
        let first = try file.store([1, 2, 3])
        let before = file.byteCount
        disk.fail(.write, with: ENOSPC)
        for _ in 0..<10 { #expect(throws: ColdFileError.self) { try file.store([4]) } }
        #expect(file.byteCount == before)
        #expect(try file.load(first) == [1, 2, 3])
    }

    @Test func whatIsTooLargeIsRefused() throws {
        #expect(BlockSpace.order(bytes: 128 << 20) == BlockSpace.largestOrder)
        #expect(BlockSpace.order(bytes: 128 << 20 + 1) == nil)
        #expect(BlockSpace.order(bytes: 1) == 0 && BlockSpace.order(bytes: 65) == 1)
    }

    @Test func opensEmptyAndRemovesWhatOtherRunsLeft() throws {
        writeFile(directory.path + "/cold-0", [1, 2, 3])
        writeFile(directory.path + "/cold-7", [1, 2, 3])
        writeFile(directory.path + "/identity", [9])
        ColdFile.removeAll(in: directory.path)
        #expect(contents(of: directory.path).keys.sorted() == ["identity"])
        writeFile(directory.path + "/cold-0", [1, 2, 3])
        let file = try ColdFile.open(directory: directory.path, loop: 0)
        #expect(size(of: file.path) == 0)
        #expect(throws: ColdFileError.self) { try ColdFile.open(directory: "/nowhere", loop: 0) }
    }
}

@Suite struct BlockSpaceTests {
    /// Blocks never overlap, waste is bounded, and nothing is left when all is given back.
    @Test(arguments: 1...6) func blocksNeverOverlap(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        var space = BlockSpace()
        var taken: [(start: UInt32, order: Int)] = []
        var units = Set<UInt32>()
        for _ in 0..<3000 {
            if taken.isEmpty || Bool.random(using: &generator) {
                let order = Int.random(in: 0...6, using: &generator)
                guard let start = space.take(order: order) else { continue }
                for unit in start..<start + (1 << UInt32(order)) {
                    #expect(units.insert(unit).inserted)
                    #expect(unit < space.end)
                }
                taken.append((start, order))
            } else {
                let block = taken.remove(at: Int.random(in: 0..<taken.count, using: &generator))
                units.subtract(block.start..<block.start + (1 << UInt32(block.order)))
                space.giveBack(block.start, order: block.order)
            }
            #expect(units.allSatisfy { $0 < space.end })
        }
        for block in taken { space.giveBack(block.start, order: block.order) }
        #expect(space.end == 0)
    }

    @Test func whatIsFreeIsUsedBeforeTheFileGrows() {
        var space = BlockSpace()
        let small = (0..<64).compactMap { _ in space.take(order: 0) }
        #expect(space.end == 64)
        for start in small.dropLast() where start % 2 == 0 { space.giveBack(start, order: 0) }
        for _ in 0..<31 { _ = space.take(order: 0) }
        #expect(space.end == 64)
    }

    @Test func theEndIsABound() {
        var space = BlockSpace()
        var count = 0
        while space.take(order: BlockSpace.largestOrder) != nil { count += 1 }
        #expect(count == 1024 && space.take(order: 0) == nil)
    }
}
