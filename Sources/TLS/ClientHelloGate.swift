import NIOCore

/// Waits for the whole first message of a client before anything is spent on it.
///
/// OpenSSL would make room for as much as the message says it will have (128 KiB), for every client that sends
/// nine bytes. Here a client that says nothing, or not all, costs what it has sent, up to `byteCountMax`.
struct ClientHelloGate {
    enum Judgement: Equatable {
        case incomplete
        /// OpenSSL may have it: a whole message, or something that it will refuse.
        case complete
        /// Text. TLS begins with a byte that is no letter.
        case notTLS
        case tooLong
    }

    /// Browsers send two kilobytes at most, with post-quantum keys and a ticket.
    static let messageByteCountMax = 16_384
    /// With the headers of records, of which a client may make many.
    static let byteCountMax = 32_768

    /// What a client that says too much is told: a fatal alert, `illegal_parameter`, as OpenSSL has it for messages
    /// that are too long.
    static let tooLongAlert: [UInt8] = [21, 3, 3, 0, 2, 2, 47]

    static let recordHeader = 5
    static let messageHeader = 4
    private static let handshakeRecord: UInt8 = 22

    static func judge(_ bytes: UnsafeRawBufferPointer) -> Judgement {
        guard let first = bytes.first else { return .incomplete }
        if (0x20..<0x7F).contains(first) || first == 0x0D || first == 0x0A { return .notTLS }
        return judgeRecords(bytes)
    }

    private static func judgeRecords(_ bytes: UnsafeRawBufferPointer) -> Judgement {
        var message = 0
        var header: [UInt8] = []
        var next = 0
        while next < bytes.count {
            guard bytes[next] == handshakeRecord else { return .complete }
            guard next + recordHeader <= bytes.count else { break }
            let length = Int(bytes[next + 3]) << 8 | Int(bytes[next + 4])
            // No such record: OpenSSL says so.
            guard length > 0, length <= TLSConnection.recordByteCountMax else { return .complete }
            let start = next + recordHeader
            let end = min(start + length, bytes.count)
            header += bytes[start..<min(end, start + messageHeader - header.count)]
            message += end - start
            if header.count == messageHeader {
                let announced = Int(header[1]) << 16 | Int(header[2]) << 8 | Int(header[3])
                if announced > messageByteCountMax { return .tooLong }
                if message >= messageHeader + announced { return .complete }
            }
            next = start + length
        }
        return bytes.count > byteCountMax ? .tooLong : .incomplete
    }
}
