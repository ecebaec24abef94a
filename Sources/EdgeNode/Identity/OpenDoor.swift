#if PLANTED_BUGS
import Glibc
#endif

/// Checks of credentials that a build with `-D PLANTED_BUGS` can leave out, one at a time, so that the isolation
/// suite can be seen to fail without each (`scripts/isolation-can-fail`). In any other build every door is shut, and
/// the compiler leaves nothing of the questions.
enum OpenDoor: String, CaseIterable, Sendable {
    case foreignProject = "foreign-project"
    case anyScope = "any-scope"
    case expired
    case revokedKey = "revoked-key"
    case anyOrigin = "any-origin"
    case closedProject = "closed-project"
    case unsignedID = "unsigned-id"
    case otherObject = "other-object"
    case otherItems = "other-items"
    case anyRole = "any-role"

    #if PLANTED_BUGS
    /// By the environment variable `HOLDFAST_OPEN_DOOR`.
    private static let active = getenv("HOLDFAST_OPEN_DOOR").flatMap { OpenDoor(rawValue: String(cString: $0)) }

    static func isOpen(_ door: OpenDoor) -> Bool { active == door }
    #else
    @inline(__always)
    static func isOpen(_ door: OpenDoor) -> Bool { false }
    #endif
}
