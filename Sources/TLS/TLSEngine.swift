import NIOCore

/// A client's side of one TLS connection without a pipeline: bytes of the network go in and come out, and the caller
/// carries them. For a process that has sockets and no event loop.
///
/// Not `Sendable`: it stays on one thread.
public final class TLSEngine {
    public enum State: Equatable {
        case handshaking
        case open
        /// The peer has said that it is done.
        case ended
        case failed(TLSError)
    }

    public private(set) var state = State.handshaking
    private let connection: TLSConnection
    /// From the network, not yet read.
    private var input = ByteBuffer()
    /// For the network.
    private var output = ByteBuffer()
    private var plaintext = ByteBuffer()
    /// Written before the end of the handshake.
    private var early: [UInt8] = []

    /// Its first bytes for the network are there at once.
    public init(context: TLSContext, peerName: TLSPeerName) throws(TLSError) {
        precondition(context.role == .client, "the engine is a client")
        connection = try TLSConnection(context: context, peerName: peerName, resuming: nil)
        shakeHands()
    }

    /// Takes what came from the network.
    public func receive(_ bytes: some Collection<UInt8>) {
        input.writeBytes(bytes)
        if state == .handshaking { shakeHands() }
        while state == .open, input.readableBytes > 0 || connection.hasPending {
            switch connection.read(input: &input, plaintext: &plaintext, output: &output) {
            case nil: continue
            case .wantsInput: return
            case .peerClosed: state = .ended
            case .failed(let reason): state = .failed(.recordRefused(reason: reason))
            }
        }
    }

    /// Writes `bytes`, after the handshake.
    public func send(_ bytes: [UInt8]) {
        switch state {
        case .handshaking: early += bytes
        case .open: encrypt(bytes)
        case .ended, .failed: break
        }
    }

    /// What is to be sent over the network now.
    public func takeOutput() -> [UInt8] {
        defer { output.clear() }
        return Array(output.readableBytesView)
    }

    /// What the peer has said since the last call.
    public func takePlaintext() -> [UInt8] {
        defer { plaintext.clear() }
        return Array(plaintext.readableBytesView)
    }

    private func shakeHands() {
        switch connection.handshake(input: &input, output: &output) {
        case nil:
            state = .open
            if !early.isEmpty { encrypt(early) }
            early = []
        case .wantsInput: break
        case .peerClosed: state = .failed(.handshakeFailed(reason: "the peer closed the connection"))
        case .failed(let reason):
            state = .failed(connection.refusedCertificate ?? .handshakeFailed(reason: reason))
        }
    }

    private func encrypt(_ bytes: [UInt8]) {
        let pause = bytes.withUnsafeBytes { connection.write($0, output: &output) }
        if case .failed(let reason)? = pause { state = .failed(.recordRefused(reason: reason)) }
    }
}
