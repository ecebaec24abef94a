import Binary
import ObjectRuntime
import Placement
import Raft

/// The binary form of peer messages. A frame is `length (UInt32) · kind (UInt8) · body`; the shell
/// writes the length. Bytes that do not decode close the link; they never trap.
extension PeerMessage {
    /// Raised with every change that an older node could not read.
    public static let wireVersion: UInt16 = 4
    /// A longer frame is refused before it is read. The longest are answers that list a whole object.
    public static let frameBytesMax = 80 << 20
    /// An answer above this is refused at the owner, so that it never meets the bound of a frame.
    public static let answerBytesMax = 72 << 20

    private enum Kind: UInt8 {
        case placement = 1, join, welcome, propose, leaseRequest, leaseGrant, obituary, fenceMe
        case reportRequest, report, shard, execute, move, outcome, events, broadcast, feedEnd
        case usage, feedSeats, replicas, loads, space, scrubbed, scrubVerdict, scrubWish
    }

    public func encode(into writer: inout ByteWriter) {
        switch self {
        case .shard(let shard, let message):
            writer.write(Kind.shard.rawValue)
            writer.write(shard.rawValue)
            message.encode(into: &writer)
        case .execute(let attempt):
            writer.write(Kind.execute.rawValue)
            attempt.encode(into: &writer)
        case .outcome(let outcome):
            writer.write(Kind.outcome.rawValue)
            outcome.encode(into: &writer)
        case .placement(let message):
            writer.write(Kind.placement.rawValue)
            message.encode(into: &writer)
        case .move(let request):
            writer.write(Kind.move.rawValue)
            request.encode(into: &writer)
        case .replicas(let request):
            writer.write(Kind.replicas.rawValue)
            request.encode(into: &writer)
        case .events(let push):
            writer.write(Kind.events.rawValue)
            push.encode(into: &writer)
        case .broadcast(let push):
            writer.write(Kind.broadcast.rawValue)
            push.encode(into: &writer)
        case .feedEnd(let end):
            writer.write(Kind.feedEnd.rawValue)
            end.encode(into: &writer)
        case .feedSeats(let seats):
            writer.write(Kind.feedSeats.rawValue)
            seats.encode(into: &writer)
        case .scrubbed(let report):
            writer.write(Kind.scrubbed.rawValue)
            report.encode(into: &writer)
        case .scrubVerdict(let verdict):
            writer.write(Kind.scrubVerdict.rawValue)
            verdict.encode(into: &writer)
        case .scrubWish(let shard):
            writer.write(Kind.scrubWish.rawValue)
            writer.write(shard.rawValue)
        default:
            encodeMembership(into: &writer)
        }
    }

    private func encodeMembership(into writer: inout ByteWriter) {
        switch self {
        case .join(let request):
            writer.write(Kind.join.rawValue)
            request.encode(into: &writer)
        case .welcome(let genesis):
            writer.write(Kind.welcome.rawValue)
            genesis.encode(into: &writer)
        case .propose(let envelope):
            writer.write(Kind.propose.rawValue)
            writer.writeBytes(envelope)
        case .leaseRequest(let request):
            writer.write(Kind.leaseRequest.rawValue)
            request.encode(into: &writer)
        case .leaseGrant(let grant):
            writer.write(Kind.leaseGrant.rawValue)
            grant.encode(into: &writer)
        case .obituary(let obituary):
            writer.write(Kind.obituary.rawValue)
            obituary.encode(into: &writer)
        case .fenceMe(let process):
            writer.write(Kind.fenceMe.rawValue)
            process.encode(into: &writer)
        case .reportRequest(let id):
            writer.write(Kind.reportRequest.rawValue)
            writer.write(id)
        case .report(let id, let report):
            writer.write(Kind.report.rawValue)
            writer.write(id)
            report.encode(into: &writer)
        case .loads(let report):
            writer.write(Kind.loads.rawValue)
            report.encode(into: &writer)
        case .usage(let report):
            writer.write(Kind.usage.rawValue)
            report.encode(into: &writer)
        case .space(let report):
            writer.write(Kind.space.rawValue)
            report.encode(into: &writer)
        case .shard, .execute, .outcome, .placement, .move, .events, .broadcast, .feedEnd, .feedSeats, .replicas,
            .scrubbed, .scrubVerdict, .scrubWish:
            preconditionFailure("encoded by encode(into:)")
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let raw = try reader.readUInt8()
        guard let kind = Kind(rawValue: raw) else { throw DecodingFailure("unknown message kind \(raw)") }
        switch kind {
        case .shard:
            let shard = ShardID(rawValue: try reader.readUInt32())
            self = .shard(shard, try Raft.Message(from: &reader))
        case .execute: self = .execute(try Try(from: &reader))
        case .outcome: self = .outcome(try TryOutcome(from: &reader))
        case .placement: self = .placement(try Raft.Message(from: &reader))
        case .move: self = .move(try MoveRequest(decoding: &reader))
        case .loads: self = .loads(try LoadReport(from: &reader))
        case .replicas: self = .replicas(try ReplicaRequest(from: &reader))
        case .events: self = .events(try EventPush(from: &reader))
        case .broadcast: self = .broadcast(try MessagePush(from: &reader))
        case .feedEnd: self = .feedEnd(try FeedEnd(from: &reader))
        case .feedSeats: self = .feedSeats(try FeedSeats(from: &reader))
        case .usage: self = .usage(try UsageReport(from: &reader))
        case .scrubbed: self = .scrubbed(try ScrubReport(from: &reader))
        case .scrubVerdict: self = .scrubVerdict(try ScrubVerdict(from: &reader))
        case .scrubWish: self = .scrubWish(ShardID(rawValue: try reader.readUInt32()))
        case .space: self = .space(try SpaceReport(from: &reader))
        case .join: self = .join(try JoinRequest(from: &reader))
        case .welcome: self = .welcome(try Genesis(from: &reader))
        case .propose: self = .propose(try reader.readBytes(limit: 1 << 20))
        case .leaseRequest: self = .leaseRequest(try LeaseRequest(from: &reader))
        case .leaseGrant: self = .leaseGrant(try LeaseGrant(from: &reader))
        case .obituary: self = .obituary(try Obituary(from: &reader))
        case .fenceMe: self = .fenceMe(try NodeProcess(from: &reader))
        case .reportRequest: self = .reportRequest(try reader.readUInt64())
        case .report:
            let id = try reader.readUInt64()
            self = .report(id, try NodeReport(from: &reader))
        }
        try reader.finish()
    }
}

extension JoinRequest {
    func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.writeString(name)
        writer.writeString(peerAddress)
        writer.writeString(clientURL)
        writer.write(clusterID)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            node: NodeID(rawValue: try reader.readUInt64()), name: try reader.readString(limit: 256),
            peerAddress: try reader.readString(limit: 256), clientURL: try reader.readString(limit: 1024),
            clusterID: try reader.readUInt64())
    }
}

extension LeaseRequest {
    func encode(into writer: inout ByteWriter) {
        process.encode(into: &writer)
        writer.write(sentBootNs)
        writer.write(sentSteadyNs)
        writer.write(isReady)
        writer.write(reachable)
        writer.write(appliedIndex.rawValue)
        writer.write(hasRoom)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            process: try NodeProcess(from: &reader), sentBootNs: try reader.readUInt64(),
            sentSteadyNs: try reader.readUInt64(), isReady: try reader.readBool(),
            reachable: try reader.readUInt16(), appliedIndex: LogIndex(rawValue: try reader.readUInt64()),
            hasRoom: try reader.readBool())
    }
}

extension LeaseGrant {
    func encode(into writer: inout ByteWriter) {
        process.encode(into: &writer)
        writer.write(sentBootNs)
        writer.write(sentSteadyNs)
        writer.write(durationMs)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            process: try NodeProcess(from: &reader), sentBootNs: try reader.readUInt64(),
            sentSteadyNs: try reader.readUInt64(), durationMs: try reader.readUInt64())
    }
}

extension Obituary {
    public func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.write(nonce)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(node: NodeID(rawValue: try reader.readUInt64()), nonce: try reader.readUInt64())
    }
}

extension Try {
    func encode(into writer: inout ByteWriter) {
        writer.write(origin.node.rawValue)
        writer.write(origin.loop)
        writer.writeVariable(origin.token)
        writer.write(shard.rawValue)
        writer.writeVariable(epoch.rawValue)
        writer.writeVariable(minimumIndex)
        writer.writeVariable(sequence)
        writer.writeVariable(stream.incarnation)
        writer.write(stream.loop)
        request.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let origin = Origin(
            node: NodeID(rawValue: try reader.readUInt64()), loop: try reader.readUInt16(),
            token: try reader.readVariable())
        let shard = ShardID(rawValue: try reader.readUInt32())
        let epoch = Epoch(rawValue: try reader.readVariable())
        let minimumIndex = try reader.readVariable()
        let sequence = try reader.readVariable()
        let stream = EdgeStream(incarnation: try reader.readVariable(), loop: try reader.readUInt16())
        self.init(
            origin: origin, shard: shard, epoch: epoch, minimumIndex: minimumIndex, sequence: sequence,
            stream: stream, request: try Request(from: &reader))
    }
}

extension TryOutcome {
    func encode(into writer: inout ByteWriter) {
        writer.write(loop)
        writer.writeVariable(token)
        writer.writeVariable(sequence)
        writer.write(shard.rawValue)
        writer.writeVariable(epoch.rawValue)
        writer.writeVariable(commitIndex)
        switch result {
        case .answered(let answer):
            writer.write(UInt8(0))
            answer.encode(into: &writer)
        case .refused: writer.write(UInt8(1))
        case .overloaded: writer.write(UInt8(2))
        case .noSpace: writer.write(UInt8(4))
        case .unchanged(let answer):
            writer.write(UInt8(3))
            answer.encode(into: &writer)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let loop = try reader.readUInt16()
        let token = try reader.readVariable()
        let sequence = try reader.readVariable()
        let shard = ShardID(rawValue: try reader.readUInt32())
        let epoch = Epoch(rawValue: try reader.readVariable())
        let commitIndex = try reader.readVariable()
        let result: Result
        switch try reader.readUInt8() {
        case 0: result = .answered(try Answer(from: &reader))
        case 1: result = .refused
        case 2: result = .overloaded
        case 4: result = .noSpace
        case 3: result = .unchanged(try Answer(from: &reader))
        default: throw DecodingFailure("unknown outcome of a try")
        }
        self.init(
            loop: loop, token: token, sequence: sequence, shard: shard, epoch: epoch,
            commitIndex: commitIndex, result: result)
    }
}

extension MoveRequest {
    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        writer.writeVariable(epoch.rawValue)
        from.encode(into: &writer)
        to.encode(into: &writer)
    }

    init(decoding reader: inout ByteReader) throws(DecodingFailure) {
        let shard = ShardID(rawValue: try reader.readUInt32())
        let epoch = Epoch(rawValue: try reader.readVariable())
        let from = try NodeProcess(from: &reader)
        self.init(shard: shard, epoch: epoch, from: from, to: try NodeProcess(from: &reader))
    }
}
