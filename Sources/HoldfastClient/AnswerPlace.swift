/// Where in its object's history an answer stands, and who gave it.
public struct AnswerPlace: Sendable, Hashable {
    public var epoch: UInt64
    public var index: UInt64
    /// The name of the node that owned the object; empty if the answer names none.
    public var owner: String
    /// The first answer to a call that had been made before under the same key.
    public var isReplay: Bool

    public init(epoch: UInt64, index: UInt64, owner: String, isReplay: Bool = false) {
        self.epoch = epoch
        self.index = index
        self.owner = owner
        self.isReplay = isReplay
    }

    /// `nil` if the answer does not say where it stands.
    public init?(_ response: HTTPResponse) {
        guard let epoch = response.header("Holdfast-Epoch").flatMap(UInt64.init),
            let index = response.header("Holdfast-Index").flatMap(UInt64.init)
        else { return nil }
        self.init(
            epoch: epoch, index: index, owner: response.header("Holdfast-Owner") ?? "",
            isReplay: response.header("Holdfast-Replayed") == "true")
    }
}
