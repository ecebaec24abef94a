import Cluster
import Glibc

/// The only place that reads clocks for the cores.
enum SystemClocks {
    static func now() -> Clocks {
        Clocks(
            bootNs: nanoseconds(CLOCK_BOOTTIME), rawNs: nanoseconds(CLOCK_MONOTONIC_RAW),
            wallMs: nanoseconds(CLOCK_REALTIME) / 1_000_000)
    }

    static func wallMs() -> UInt64 { nanoseconds(CLOCK_REALTIME) / 1_000_000 }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
