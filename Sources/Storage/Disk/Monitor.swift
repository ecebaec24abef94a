import CHoldfast
import Glibc

/// A mutex with one condition: what blocking threads of the storage ring wait on.
final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        var attributes = pthread_condattr_t()
        let made =
            pthread_condattr_init(&attributes) == 0
            && pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0
            && pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(condition, &attributes) == 0
        pthread_condattr_destroy(&attributes)
        precondition(made, "the system cannot make a mutex")
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Only inside `locked`: gives the mutex up until somebody signals.
    func wait() {
        pthread_cond_wait(condition, mutex)
    }

    /// The same, but no longer than `milliseconds`. False when the time is over.
    func wait(milliseconds: Int) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let nanoseconds = deadline.tv_nsec + milliseconds % 1000 * 1_000_000
        deadline.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000
        return pthread_cond_timedwait(condition, mutex, &deadline) == 0
    }

    func signal() {
        pthread_cond_broadcast(condition)
    }
}

/// A named thread of our own.
struct WorkerThread: @unchecked Sendable {
    private let thread: pthread_t

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    init(name: String, _ run: @escaping @Sendable () -> Void) {
        var made = pthread_t()
        let body = Unmanaged.passRetained(
            Body {
                holdfast_name_thread(name)
                run()
            })
        let code = pthread_create(
            &made, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        precondition(code == 0, "the system cannot start a thread: errno \(code)")
        thread = made
    }

    var isCurrent: Bool { pthread_equal(thread, pthread_self()) != 0 }

    func join() {
        precondition(!isCurrent, "a thread cannot wait for its own end")
        pthread_join(thread, nil)
    }

    func detach() {
        pthread_detach(thread)
    }
}
