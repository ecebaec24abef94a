import ArgumentParser
import Glibc
import HoldfastClient
import NIOCore
import NIOPosix

struct ObjectWatchCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Print the object's events as they happen, one line each.",
        discussion: """
            Goes on at the next endpoint when a node is lost, behind the last event that was seen. With --json every \
            event's frame is printed as it came. What happens to the connection goes to standard error. Ctrl-C ends it.
            """)

    @OptionGroup var address: ObjectAddress

    @Option(
        name: .long, help: ArgumentHelp("Join the object with this data while watching.", valueName: "json"))
    var join: String?

    func execute() async throws {
        let client = try address.access.client()
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let target = HoldfastClient.socketTarget(
            project: try address.access.projectName(), address.object)
        let endpoints = try address.access.cluster.endpoints()
        let credentials = try address.access.credentials()
        let data = join.map { text in (try? JSON(parsing: text)) ?? .string(text) }
        let isRaw = address.output.json
        let ended = loop.makePromise(of: SocketEnd.self)
        loop.execute {
            let watch = Watch(isRaw: isRaw, joins: data, ended: ended)
            watch.begin(endpoints, target, on: loop) { watchToken(client, credentials, on: loop) }
        }
        let end = try await ended.futureResult.get()
        throw CommandFailure(message: "\(end)")
    }
}

private func watchToken(
    _ client: HoldfastClient, _ credentials: HoldfastClient.Credentials, on loop: any EventLoop
) -> EventLoopFuture<String> {
    if case .token(let token) = credentials { return loop.makeSucceededFuture(token) }
    return loop.makeFutureWithTask { try await client.token() }
}

/// Prints what a subscription reports. Used on its event loop only.
private final class Watch {
    private let isRaw: Bool
    private let data: JSON?
    private let ended: EventLoopPromise<SocketEnd>
    private var subscription: Subscription?

    init(isRaw: Bool, joins data: JSON?, ended: EventLoopPromise<SocketEnd>) {
        self.isRaw = isRaw
        self.data = data
        self.ended = ended
    }

    func begin(
        _ endpoints: [Endpoint], _ target: String, on loop: any EventLoop,
        fetchToken: @escaping () -> EventLoopFuture<String>
    ) {
        var settings = Subscription.Settings()
        settings.joinsAgain = true
        let subscription = Subscription(
            endpoints: endpoints, target: target, settings: settings, on: loop, fetchToken: fetchToken
        ) { self.take($0) }
        self.subscription = subscription
        subscription.start()
    }

    private func take(_ report: SubscriptionReport) {
        switch report {
        case .established(let endpoint, let id, let establishment):
            note("\(EventLine.word(for: establishment)) at \(endpoint) as \(id)")
            if establishment == .first, let data { subscription?.join(data) }
        case .event(let event): printLine(isRaw ? event.frame.description : EventLine.text(event))
        case .gap(let from, let to):
            let frame: JSON = ["event": "gap", "from": from.json, "to": to.json]
            printLine(isRaw ? frame.description : "gap: the events from \(from) to \(to) are gone")
        case .refusal(let text): note("refused: \(text)")
        case .interrupted(let endpoint, let end, let pause):
            note("\(endpoint): \(end); next try in \(pause.nanoseconds / 1_000_000) ms")
        case .ended(let end): ended.succeed(end)
        }
    }

    private func note(_ text: String) {
        writeToStandardError("holdfast: \(text)\n")
    }

    /// Each line at once, also into a pipe.
    private func printLine(_ line: String) {
        print(line)
        fflush(nil)
    }
}

/// An event as one line for people.
enum EventLine {
    static func text(_ event: SocketEvent) -> String {
        let position = event.position?.description ?? "-"
        return ([position, event.name] + details(event)).joined(separator: "  ")
    }

    static func word(for establishment: Establishment) -> String {
        switch establishment {
        case .first: "connected"
        case .resumed: "resumed"
        case .restarted: "connected anew, events may be missing,"
        }
    }

    private static func details(_ event: SocketEvent) -> [String] {
        let payload = event.payload?.description
        switch event.name {
        case "setItem":
            return ["\(event.payload?["prop"]?.text ?? "?") = \(event.payload?["value"]?.description ?? "?")"]
        case "removeItem": return [event.payload?["prop"]?.text ?? "?"]
        default: return [event.connectionID, payload].compactMap { $0 }
        }
    }
}

struct ObjectSendCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Send a message to all who watch the object.")

    @OptionGroup var address: ObjectAddress

    @Argument(help: "The message as JSON; what is no JSON is taken as a string.")
    var message: String

    func execute() async throws {
        let json = (try? JSON(parsing: message)) ?? .string(message)
        try await address.access.client().send(json, to: address.object)
        if address.output.json { print("{}") }
    }
}

struct ObjectPresenceCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "presence", abstract: "List who has joined the object.")

    @OptionGroup var address: ObjectAddress

    func execute() async throws {
        let members = try await address.access.client().presence(of: address.object)
        if address.output.json { return print(JSON.array(members.map(Self.document))) }
        var table = TextTable("CONNECTION", "JOINED AT", "DATA")
        for member in members {
            table.add(member.connectionID, String(member.joinedAt), member.data.description)
        }
        print(table.text)
    }

    private static func document(_ member: Member) -> JSON {
        var members = [
            JSON.Member("connectionId", .string(member.connectionID)),
            JSON.Member("joinedAt", .integer(member.joinedAt)), JSON.Member("data", member.data),
        ]
        if let version = member.keyVersion { members.append(JSON.Member("keyVersion", .integer(version))) }
        return .object(members)
    }
}
