import ObjectRuntime

struct SocketHub {
    mutating func take(_ input: SocketInput, nowMs: UInt64) {}
}
