/// Lets many threads read the memory map, and one replace it while none does.
///
/// LMDB asks that no transaction be active while its map is replaced. What it needs is that nobody holds a
/// pointer into the map: a read transaction has page numbers and no pointer, and `mdb_env_set_mapsize`
/// refuses only for the writer's. So a view that is held for minutes does not keep the store from growing,
/// as long as its cursors live inside of one `access`. Depends on LMDB 0.9, which `StoreEnvironment` checks.
final class MapGate: @unchecked Sendable {
    private let monitor = Monitor()
    // Guarded by the monitor.
    private var readers = 0
    private var isClosed = false

    func access<Value>(_ body: () -> Value) -> Value {
        monitor.locked {
            while isClosed { monitor.wait() }
            readers += 1
        }
        defer {
            monitor.locked {
                readers -= 1
                if readers == 0 && isClosed { monitor.signal() }
            }
        }
        return body()
    }

    /// Waits for those inside, and keeps the others out meanwhile: as long as one slice of reading takes.
    func exclude<Value>(_ body: () -> Value) -> Value {
        monitor.locked {
            isClosed = true
            while readers > 0 { monitor.wait() }
        }
        defer {
            monitor.locked {
                isClosed = false
                monitor.signal()
            }
        }
        return body()
    }
}
