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

    /// The name of the machine's clock source, if a hypervisor provides it.
    static var paravirtualSource: String? {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        guard let name = readTextFile(path)?.split(separator: "\n").first else { return nil }
        return ["kvm-clock", "xen", "hyperv_clocksource_tsc_page", "hyperv_clocksource_msr"].contains(name)
            ? String(name) : nil
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
