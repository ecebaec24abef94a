/// Limits and figures of the HTTP edge. What clients can reach is bounded by one of these.
public struct HTTPSettings: Sendable {
    /// Sockets included.
    public var maximumConnectionsPerLoop = 12_000
    /// Of one IPv4 address, or of one IPv6 network of 64 bits, over all loops; 0 for any number.
    public var connectionsPerAddress = 2_000
    /// Requests, and frames of sockets, a second: of one connection, of one key, to one object; 0 for any number.
    public var connectionRate: UInt64 = 0
    public var keyRate: UInt64 = 0
    public var objectRate: UInt64 = 0
    public var maximumBodyBytes = 2 << 20
    /// Bodies of all connections of a loop that wait or are still arriving.
    public var maximumBufferedBodyBytesPerLoop = 256 << 20
    /// Large answers of all connections of a loop that their clients have not taken.
    public var maximumUnreadBytesPerLoop = 256 << 20
    /// Names and values of all headers of a request together, and the request line.
    public var maximumHeaderBytes = 32 << 10
    public var maximumHeaderCount = 100
    /// Requests of one connection that wait behind the one being executed, before we stop reading.
    public var maximumPipelinedRequests = 64
    /// A request must be complete this long after its first byte.
    public var requestTimeoutMs: UInt64 = 30_000
    /// Clients that go on using a connection just being closed fail, so this is long, and what
    /// `Keep-Alive` announces is shorter.
    public var idleTimeoutMs: UInt64 = 90_000
    public var announcedKeepAliveSeconds = 75
    /// How long a closing connection still swallows what the client sends, so that it can read the
    /// answer before it meets a reset.
    public var lingerMs: UInt64 = 3_000

    public var tokenLifetimeMs: UInt64 = 3_600_000
    /// Tokens are accepted this much longer than they say: the client's refresh may have failed once.
    public var tokenGraceMs: UInt64 = 60_000
    /// A new key for tokens signs only this long after it was made: by then every node knows it, and
    /// none refuses a token that another has just given.
    public var signingKeyDelayMs: UInt64 = 10_000
    /// Verified credentials that a loop remembers.
    public var rememberedCredentials = 4_096

    /// A message of a socket's client, its fragments together.
    public var maximumSocketMessageBytes = 128 << 10
    /// Messages of all sockets of a loop that have not arrived whole.
    public var maximumArrivingMessageBytesPerLoop = 64 << 20
    /// What waits for one client of a socket, and for all of a loop that are slow.
    /// Holds what one entry may tell, and what a client hears at once when it comes back: a limit below that
    /// would close it again and again.
    public var maximumSocketQueueBytes = 8 << 20
    public var maximumSocketQueueBytesPerLoop = 128 << 20
    /// Clients send a ping every 20 s; browsers slow the timers of hidden pages to one a minute.
    public var socketIdleTimeoutMs: UInt64 = 75_000
    /// For the first frame of a socket that was opened without credentials.
    public var socketCredentialsTimeoutMs: UInt64 = 5_000
    /// How long a client may take to answer a close frame.
    public var socketCloseTimeoutMs: UInt64 = 5_000

    /// Sockets that a loop closes in a second when its node is being drained: clients come to the others at once.
    public var drainedSocketsPerSecond = 500

    /// The ports take TLS; `plaintext` says what becomes of the rest.
    public var speaksTLS = false
    public var plaintext = Plaintext.refuse
    public var adminPlaintext = Plaintext.refuse

    /// The admin API is closed to everybody while there is no token.
    public var adminToken: String?
    public var servesAdminOnClientPort = false
    /// The chat page under `/demo`, on the client port.
    public var servesDemo = true
    /// Shown by `/version` and in `holdfast_build_info`.
    public let version: String

    public init(version: String) {
        self.version = version
    }
}
