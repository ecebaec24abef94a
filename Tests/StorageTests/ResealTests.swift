import Testing

@testable import Storage

/// What was written under a former data key, or under none, is written anew under the newest.
struct ResealTests {
    private static let range = StoredRange(start: 0, end: .max)
    private let directory = TemporaryDirectory()

    private func options(_ keys: DataKeys?) -> StoreOptions {
        var options = StoreOptions(initialMapBytes: 8 << 20)
        options.keys = keys
        return options
    }

    private static func objects(_ count: Int) -> [StoredObject] {
        (0..<count).map { storedObject(UInt64($0), expiresAtMs: $0 % 3 == 0 ? 1_000 : .max, byteCount: 40 + $0 % 700) }
    }

    /// More than a slice of records, and of bytes.
    private func fill(_ keys: DataKeys?, count: Int = 3_000) throws -> [StoredObject] {
        let objects = Self.objects(count)
        let store = try ObjectStore.open(directory: directory.path, options: options(keys))
        try store.perform(create(1, Self.range))
        try store.perform(checkpoint(1, Self.range, index: 40, puts: objects))
        store.close()
        return objects
    }

    private func reseal(_ keys: DataKeys) throws -> (rewritten: UInt64, steps: Int) {
        let environment = try StoreEnvironment(directory: directory.path, options: options(keys))
        let writer = StoreWriter(environment, options(keys))
        var pass = ResealPass(keys)
        var steps = 0
        while !pass.isDone {
            try pass.step(environment, writer)
            steps += 1
        }
        return (pass.rewritten, steps)
    }

    private func read(_ keys: DataKeys?) throws -> [StoredObject] {
        guard case .sound = StoreInspector.inspect(directory: directory.path, keys: keys) else { return [] }
        let store = try ObjectStore.open(directory: directory.path, options: options(keys))
        defer { store.close() }
        let view = try store.makeView()
        var found: [StoredObject] = []
        while true {
            let part = try view.objects(in: Self.range, after: found.last?.key)
            if part.isEmpty { return found }
            found += part
        }
    }

    @Test(arguments: [true, false])
    func theFormerKeyIsNeededNoMore(_ wasEncrypted: Bool) throws {
        let objects = try fill(wasEncrypted ? dataKeys("a") : nil)
        // What is plain can be read, and a store that is opened begins to write it anew.
        if wasEncrypted { #expect(try read(dataKeys("b")).isEmpty) }
        let (rewritten, steps) = try reseal(dataKeys("b", "a"))
        #expect(rewritten == 3_001, "the objects and the head")
        #expect(steps > 5)
        #expect(try read(dataKeys("b")) == objects)
        let again = try reseal(dataKeys("b"))
        #expect(again.rewritten == 0)
    }

    /// Written anew it would look whole, and no scrub would find it.
    @Test func damageIsLeftAsItIs() throws {
        let objects = try fill(dataKeys("a"), count: 1)
        var bytes = readFile(directory.path + "/data.mdb")
        // The envelope of the only object, by its checksum, format and the key's name.
        let name = withUnsafeBytes(of: try dataKeys("a").newest.fingerprint.littleEndian) { [UInt8]($0) }
        let places = bytes.indices.dropLast(8).filter { Array(bytes[$0..<$0 + 8]) == name }
        #expect(places.count >= 2)
        for place in places { bytes[place + 30] ^= 1 }
        writeFile(directory.path + "/data.mdb", bytes)
        let (rewritten, _) = try reseal(dataKeys("b", "a"))
        #expect(rewritten == 0)
        #expect(try read(dataKeys("b", "a")) != objects)
    }

    /// Nobody may be told that a key is needed no more because the pass could not go on.
    @Test func aPassThatFailsIsNotOver() throws {
        _ = try fill(dataKeys("a"), count: 10)
        let keys = try dataKeys("b")
        let environment = try StoreEnvironment(directory: directory.path, options: options(keys))
        var pass = ResealPass(keys)
        for _ in 0..<2 {
            let error = #expect(throws: StoreError.self) { try pass.step(environment, StoreWriter(environment, options(keys))) }
            #expect(error?.kind == .sealed && !pass.isDone && pass.rewritten == 0)
        }
    }

    @Test func aPassThatWasCutOffGoesOnAtTheNextOpening() throws {
        let objects = try fill(dataKeys("a"))
        let keys = try dataKeys("b", "a")
        do {
            let environment = try StoreEnvironment(directory: directory.path, options: options(keys))
            var pass = ResealPass(keys)
            for _ in 0..<2 { try pass.step(environment, StoreWriter(environment, options(keys))) }
            #expect(!pass.isDone && pass.rewritten > 0 && pass.rewritten < 3_001)
        }
        let rest = try reseal(keys)
        #expect(rest.rewritten > 0 && rest.rewritten < 3_001)
        #expect(try read(dataKeys("b")) == objects)
    }
}
