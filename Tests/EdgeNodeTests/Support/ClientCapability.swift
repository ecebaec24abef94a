import enum HoldfastClient.Capability

/// What holders narrow by: the client's side, which shares no code with the node's.
typealias ClientCapability = Capability
