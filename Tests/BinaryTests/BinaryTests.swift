import Testing

@testable import Binary

@Test func everyIntegerComesBack() throws {
    var writer = ByteWriter()
    writer.write(UInt8(7))
    writer.write(UInt16(0xABCD))
    writer.write(UInt32(0xDEAD_BEEF))
    writer.write(UInt64.max)
    for value in [0, 1, 127, 128, 300, UInt64(UInt32.max), UInt64.max] { writer.writeVariable(value) }
    var reader = ByteReader(writer.bytes)
    #expect(try reader.readUInt8() == 7)
    #expect(try reader.readUInt16() == 0xABCD)
    #expect(try reader.readUInt32() == 0xDEAD_BEEF)
    #expect(try reader.readUInt64() == .max)
    for value in [0, 1, 127, 128, 300, UInt64(UInt32.max), UInt64.max] {
        #expect(try reader.readVariable() == value)
    }
    try reader.finish()
}

@Test func everyTruncationIsRefusedAndNothingTraps() throws {
    var writer = ByteWriter()
    writer.writeString("räksmörgås")
    writer.writeArray([1, 2, 3] as [UInt64]) { $0.write($1) }
    writer.writeOptional(UInt64(9)) { $0.writeVariable($1) }
    func decode(_ bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        _ = try reader.readString()
        _ = try reader.readArray { (r: inout ByteReader) throws(DecodingFailure) in try r.readUInt64() }
        _ = try reader.readOptional { (r: inout ByteReader) throws(DecodingFailure) in try r.readVariable() }
        try reader.finish()
    }
    try decode(writer.bytes)
    for length in 0..<writer.count {
        #expect(throws: DecodingFailure.self) { try decode(Array(writer.bytes[..<length])) }
    }
}

@Test func aForgedCountIsRefusedBeforeMemoryIsReserved() {
    var writer = ByteWriter()
    writer.writeVariable(UInt64(Int.max))
    var reader = ByteReader(writer.bytes)
    #expect(throws: DecodingFailure.self) {
        _ = try reader.readArray { (r: inout ByteReader) throws(DecodingFailure) in try r.readUInt8() }
    }
}

@Test func anOverlongVariableIntegerIsRefused() {
    var reader = ByteReader([UInt8](repeating: 0xFF, count: 11))
    #expect(throws: DecodingFailure.self) { try reader.readVariable() }
}

/// The reference vectors of the SipHash paper, appendix A: key 00…0f, message 00…0e.
@Test func sipHashAgreesWithThePaper() {
    let hash = SipHash(key0: 0x0706_0504_0302_0100, key1: 0x0f0e_0d0c_0b0a_0908)
    #expect(hash.hash(Array(0...14)) == 0xa129_ca61_49be_45e5)
    #expect(hash.hash([]) == 0x726f_db47_dd0e_0e31)
}
