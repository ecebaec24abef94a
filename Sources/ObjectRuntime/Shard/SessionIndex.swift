/// How many connections each object remembers, by the incarnation of their edge. Only looked up, or sorted.
struct SessionIndex: Sendable, Equatable {
    private(set) var objects: [UInt64: [ObjectID: Int]] = [:]

    /// Each once, rising.
    var incarnations: [UInt64] { objects.keys.sorted() }

    var count: Int { objects.values.reduce(0) { $1.values.reduce($0, +) } }

    func objects(of incarnation: UInt64) -> [ObjectID] { (objects[incarnation] ?? [:]).keys.sorted() }

    mutating func count(_ step: SessionStep, of object: ObjectID) {
        if let after = step.after { add(1, after, object) }
        if let before = step.before { add(-1, before, object) }
    }

    mutating func add(_ number: Int, _ incarnation: UInt64, _ object: ObjectID) {
        let count = (objects[incarnation]?[object] ?? 0) + number
        objects[incarnation, default: [:]][object] = count > 0 ? count : nil
        if objects[incarnation]?.isEmpty == true { objects[incarnation] = nil }
    }

    /// Takes out what belongs to the objects.
    mutating func split(_ isTaken: (ObjectID) -> Bool) -> SessionIndex {
        var taken = SessionIndex()
        for incarnation in incarnations {
            for object in objects(of: incarnation) where isTaken(object) {
                let count = objects[incarnation]?[object] ?? 0
                taken.add(count, incarnation, object)
                add(-count, incarnation, object)
            }
        }
        return taken
    }

    mutating func merge(_ other: SessionIndex) {
        for (incarnation, objects) in other.objects {
            for (object, count) in objects { add(count, incarnation, object) }
        }
    }
}

/// The edge process behind a connection, before and after a change.
struct SessionStep: Sendable {
    var before: UInt64?
    var after: UInt64?
}
