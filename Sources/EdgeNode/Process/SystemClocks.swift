import Cluster
import Glibc

/// The only place that reads clocks for the cores.
enum SystemClocks {
    /// CLOCK_BOOTTIME and CLOCK_MONOTONIC are slewed alike, so their difference is the time of all suspensions. Read in
    /// this order, a pause between two readings makes the steady clock say what it would have said at the first: never
    /// more than is true (O5).
    static func now() -> Clocks {
        let bootNs = nanoseconds(CLOCK_BOOTTIME)
        let awakeNs = nanoseconds(CLOCK_MONOTONIC)
        let rawNs = nanoseconds(CLOCK_MONOTONIC_RAW)
        return Clocks(
            bootNs: bootNs, rawNs: rawNs, steadyNs: rawNs &+ (bootNs &- awakeNs),
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
