import HoldfastClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// A stand-in for a node that serves items as the protocol says, and lies if it is told to.
final class LyingServer: @unchecked Sendable {
    enum Lie: String, CaseIterable {
        /// A read shows the item as it was five writes ago.
        case staleRead
        /// A write is acknowledged and forgotten.
        case lostWrite
        /// A write takes effect twice.
        case doubledWrite
        /// A write is refused as not applied, and applied.
        case appliedRefusal
        /// Another node is named as owner of the same epoch.
        case twoOwners
        /// An answer stands under an epoch that is over.
        case epochBack
        /// An answer stands before one that was given earlier.
        case indexBack
        /// A write's answer says no epoch and no index.
        case noPlace
    }

    let endpoint: Endpoint
    private let channel: any Channel
    private let store: LyingStore

    init(_ lie: Lie?) async throws {
        let store = LyingStore(lie)
        self.store = store
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.any())
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(LyingHandler(store))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        endpoint = Endpoint(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    }

    func close() async throws { try await channel.close() }

    /// Objects that have an item.
    var objects: [String] {
        get async throws { try await channel.eventLoop.submit { self.store.objects }.get() }
    }
}

/// The items of all connections, used on one event loop.
private final class LyingStore: @unchecked Sendable {
    struct Entry {
        var value: JSON
        var updatedAt: Int
    }

    struct Answer {
        var status: HTTPResponseStatus
        var body: JSON?
        var place: AnswerPlace?
    }

    /// Every so many calls of a kind it lies.
    private static let every = 7

    private let lie: LyingServer.Lie?
    /// By `class/object`, then by item; each with what it was before.
    private var items: [String: [String: [Entry]]] = [:]
    private var index: UInt64 = 0
    private var clock = 1_000
    private var reads = 0
    private var writes = 0
    private var calls = 0

    init(_ lie: LyingServer.Lie?) { self.lie = lie }

    var objects: [String] { items.filter { !$0.value.isEmpty }.keys.sorted() }

    func answer(_ method: HTTPMethod, _ path: [String], _ body: JSON?) -> Answer {
        // project, P, cache, class, object, and then item and word.
        guard path.count >= 5, path[2] == "cache" else { return Answer(status: .notFound) }
        let object = "\(path[3])/\(path[4])"
        calls += 1
        guard path.count > 5 else {
            items[object] = nil
            return Answer(status: .noContent, place: place())
        }
        let item = path[5]
        if method == .GET { return read(object, item) }
        if method == .DELETE {
            items[object]?[item] = nil
            index += 1
            return Answer(status: .noContent, place: place())
        }
        return write(object, item, word: path.count > 6 ? path[6] : "", body ?? .null)
    }

    private func tells(_ lies: LyingServer.Lie..., on count: Int) -> Bool {
        lie.map(lies.contains) == true && count % Self.every == 0
    }

    private func place() -> AnswerPlace {
        let isLie = tells(.twoOwners, .epochBack, .indexBack, on: calls)
        return AnswerPlace(
            epoch: isLie && lie == .epochBack ? 2 : 3, index: isLie && lie == .indexBack ? index / 2 : index,
            owner: isLie && lie == .twoOwners ? "n2" : "n1")
    }

    private func read(_ object: String, _ item: String) -> Answer {
        reads += 1
        guard let versions = items[object]?[item], let last = versions.last else {
            return Answer(status: .notFound, place: place())
        }
        let isStale = tells(.staleRead, on: reads) && versions.count > 5
        return Answer(status: .ok, body: json(isStale ? versions[versions.count - 6] : last), place: place())
    }

    private func write(_ object: String, _ item: String, word: String, _ body: JSON) -> Answer {
        writes += 1
        index += 1
        clock += 1
        let last = items[object]?[item]?.last
        if let expected = body["updatedAt"]?.int, last?.updatedAt != expected {
            return Answer(status: .conflict, body: ["applied": "no", "message": "another version"])
        }
        var entry = Entry(value: changed(last?.value, word, body["value"] ?? .null), updatedAt: clock)
        if tells(.lostWrite, on: writes) { return Answer(status: .ok, body: json(entry), place: place()) }
        let shown = entry
        if tells(.doubledWrite, on: writes) { entry.value = changed(entry.value, word, body["value"] ?? .null) }
        items[object, default: [:]][item, default: []].append(entry)
        if tells(.appliedRefusal, on: writes) {
            return Answer(status: .tooManyRequests, body: ["applied": "no", "message": "too much"])
        }
        return Answer(
            status: .ok, body: json(shown), place: tells(.noPlace, on: writes) ? nil : place())
    }

    private func changed(_ value: JSON?, _ word: String, _ by: JSON) -> JSON {
        switch word {
        case "increment": .integer((value?.int ?? 0) + (by.int ?? 0))
        case "push": .array((value?.elements ?? []) + [by])
        default: by
        }
    }

    private func json(_ entry: Entry) -> JSON {
        ["value": entry.value, "createdAt": 1, "updatedAt": .integer(entry.updatedAt), "expiresAt": 0]
    }
}

private final class LyingHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let store: LyingStore
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(_ store: LyingStore) { self.store = store }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end: answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        guard let head else { return }
        let path = head.uri.split(separator: "/").map(String.init)
        let json = try? JSON(parsing: Array(body.readableBytesView))
        let answer = store.answer(head.method, path, json)
        var headers = HTTPHeaders()
        if let place = answer.place {
            headers.add(name: "Holdfast-Epoch", value: String(place.epoch))
            headers.add(name: "Holdfast-Index", value: String(place.index))
            headers.add(name: "Holdfast-Owner", value: place.owner)
        }
        let bytes = ByteBuffer(bytes: answer.body?.bytes ?? [])
        if answer.status != .noContent { headers.add(name: "Content-Length", value: String(bytes.readableBytes)) }
        let response = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if bytes.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
