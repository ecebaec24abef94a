import HoldfastClient
import NIOCore
import NIOPosix

/// How a run reaches the objects of its project.
public struct LiveAccess: Sendable {
    public var endpoints: [Endpoint]
    public var project: String
    public var credentials: HoldfastClient.Credentials
    /// For one call with all its attempts.
    public var timeout: TimeAmount

    public init(
        endpoints: [Endpoint], project: String, credentials: HoldfastClient.Credentials,
        timeout: TimeAmount = .seconds(10)
    ) {
        precondition(!endpoints.isEmpty, "a run needs an endpoint")
        self.endpoints = endpoints
        self.project = project
        self.credentials = credentials
        self.timeout = timeout
    }

    /// Asks `endpoints` in their order; else all of them, beginning with the one at `first`.
    func client(
        endpoints chosen: [Endpoint]? = nil, beginningAt first: Int = 0, timeout: TimeAmount? = nil
    ) -> HoldfastClient {
        HoldfastClient(
            endpoints: chosen ?? endpoints.rotated(by: first), project: project, credentials: credentials,
            on: MultiThreadedEventLoopGroup.singleton.any(), timeout: timeout ?? self.timeout)
    }

    /// Throws what is wrong with the project, the credentials or the way to the nodes.
    func probe(_ object: ObjectName) async throws {
        let client = client()
        let answer = await caught { try await client.getItem("probe", of: object) }
        await client.close()
        _ = try answer.get()
    }

    /// Removes all items of these objects; answers those where it was not possible.
    func clear(_ objects: [String], class objectClass: String) async -> [String] {
        let client = client()
        var left: [String] = []
        for object in objects {
            do {
                try await client.clear(ObjectName(object, class: objectClass))
            } catch {
                left.append(object)
            }
        }
        await client.close()
        return left
    }
}
