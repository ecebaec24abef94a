import Binary

/// One reading of the node's clocks. The core reads no clock itself: each input brings one.
public struct Clocks: Sendable, Equatable {
    /// CLOCK_BOOTTIME: goes on while the machine is suspended; may be slewed.
    public var bootNs: UInt64
    /// CLOCK_MONOTONIC_RAW: never slewed; stands still while the machine is suspended.
    public var rawNs: UInt64
    /// `rawNs` and all the time that the machine was suspended: neither slewed nor ever still. Each of the others alone
    /// falls short of a lease in which the one was slewed and the other stood still.
    public var steadyNs: UInt64
    /// Wall clock, milliseconds since 1970. For item times only, never for leases.
    public var wallMs: UInt64

    /// - Parameter steadyNs: nil for a machine that was never suspended.
    public init(bootNs: UInt64, rawNs: UInt64, steadyNs: UInt64? = nil, wallMs: UInt64) {
        self.bootNs = bootNs
        self.rawNs = rawNs
        self.steadyNs = steadyNs ?? rawNs
        self.wallMs = wallMs
    }

    #if PLANTED_BUGS
    /// As these clocks will read `durationNs` later.
    func after(_ durationNs: UInt64) -> Clocks {
        Clocks(
            bootNs: bootNs + durationNs, rawNs: rawNs + durationNs, steadyNs: steadyNs + durationNs, wallMs: wallMs)
    }
    #endif

    public static let zero = Clocks(bootNs: 0, rawNs: 0, wallMs: 0)
}

/// A moment on the two clocks that count suspension (O5).
public struct Deadline: Sendable, Equatable {
    public var bootNs: UInt64
    public var steadyNs: UInt64

    public init(bootNs: UInt64, steadyNs: UInt64) {
        self.bootNs = bootNs
        self.steadyNs = steadyNs
    }

    /// Already over, whatever the clocks say.
    public static let passed = Deadline(bootNs: 0, steadyNs: 0)

    public static func after(_ durationNs: UInt64, from start: Clocks) -> Deadline {
        Deadline(bootNs: start.bootNs &+ durationNs, steadyNs: start.steadyNs &+ durationNs)
    }

    /// The later of both on each clock: of two leases the longer one counts (O6 a).
    public mutating func extend(to other: Deadline) {
        bootNs = max(bootNs, other.bootNs)
        steadyNs = max(steadyNs, other.steadyNs)
    }

    /// The holder's view: over as soon as *either* clock says so (O5).
    public func isOverForHolder(_ now: Clocks) -> Bool {
        now.bootNs >= bootNs || now.steadyNs >= steadyNs
    }

    /// The granter's view: over only when *both* clocks say so (O5).
    public func isOverForGranter(_ now: Clocks) -> Bool {
        now.bootNs >= bootNs && now.steadyNs >= steadyNs
    }
}
