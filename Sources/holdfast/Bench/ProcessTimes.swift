import Glibc
import HoldfastClient

/// CPU time of processes, as the kernel counts it.
enum ProcessTimes {
    private static let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))

    /// User and system seconds of all threads together; `nil` if a process is not there.
    static func seconds(of pids: [Int32]) -> Double? {
        var sum = 0.0
        for pid in pids {
            guard let text = try? LocalFile.readText("/proc/\(pid)/stat"),
                let seconds = seconds(stat: text)
            else { return nil }
            sum += seconds
        }
        return sum
    }

    /// The command's name may hold blanks and parentheses, so fields are counted from its last ')'.
    static func seconds(stat: String) -> Double? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
            return nil
        }
        return (user + system) / ticksPerSecond
    }

    /// User and system seconds of this process.
    static func ownSeconds() -> Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }
}
