import CHoldfast
import Cluster
import ObjectRuntime
import Storage

/// Where one event loop's idle objects go: a file, and, once many have gone, their memory back to the system.
/// Belongs to its loop, as the file does.
final class ColdStore: ColdObjects, @unchecked Sendable {
    private let file: ColdFile
    private var ticks = 0
    /// What has left memory since it was last given back, and since it was last looked at.
    private var unreturnedBytes = 0
    private var recentBytes = 0

    /// How much must have left memory to make a search for free pages worth its time, and how often to look.
    private static let returnBytes = 4 << 20
    private static let ticksPerLook = 100

    /// One per loop; none if objects do not hibernate.
    static func open(directory: String, settings: NodeSettings) throws -> [ColdStore?] {
        ColdFile.removeAll(in: directory)
        return try (0..<settings.loops).map { loop in
            guard settings.hibernateAfterMs > 0 else { return nil }
            do {
                return ColdStore(try ColdFile.open(directory: directory, loop: loop))
            } catch {
                throw StartFailure(
                    "\(error). Check the data directory's owner, mode and space, then start the node again; what "
                        + "the file held before is not needed.")
            }
        }
    }

    private init(_ file: ColdFile) {
        self.file = file
    }

    func store(_ bytes: [UInt8]) throws(ColdFailure) -> ColdSlot {
        do {
            let slot = try file.store(bytes)
            recentBytes += bytes.count
            return ColdSlot(rawValue: slot)
        } catch {
            throw ColdFailure("\(error)")
        }
    }

    func load(_ slot: ColdSlot) throws(ColdFailure) -> [UInt8] {
        do {
            return try file.load(slot.rawValue)
        } catch {
            throw ColdFailure("\(error)")
        }
    }

    func release(_ slot: ColdSlot) {
        file.release(slot.rawValue)
    }

    /// Once a second: when the exodus is over, or has been large, whole pages that it left go back.
    func tick() {
        ticks += 1
        guard ticks % ColdStore.ticksPerLook == 0 else { return }
        unreturnedBytes += recentBytes
        let isOver = recentBytes == 0
        recentBytes = 0
        guard unreturnedBytes >= (isOver ? 1 : 8) * ColdStore.returnBytes else { return }
        unreturnedBytes = 0
        holdfast_return_memory()
    }
}
