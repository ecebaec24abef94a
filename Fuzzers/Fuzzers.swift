// Fuzzers of everything that reads bytes from outside: one program, a target for each kind of bytes.
//
// Built with libFuzzer and AddressSanitizer (`scripts/fuzz`), never as a part of the product. A target takes bytes and
// must come back: what it is given may be refused, it may not trap, read beyond its memory, or take long. Where bytes
// are taken, what they became is written again and read again, and must be the same.
//
// Left out: what only operators write (settings, command lines), and the client's side of the protocol.

import Foundation

/// What the fuzzer may be told to feed.
let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "http": fuzzHTTP,
    "paths": fuzzPaths,
    "json": fuzzJSON,
    "bodies": fuzzBodies,
    "frames": fuzzSocketFrames,
    "events": fuzzClientEvents,
    "tokens": fuzzTokens,
    "tls-hello": fuzzTLSHello,
    "tls-wire": fuzzTLSWire,
    "peer-link": fuzzPeerLink,
    "peer-messages": fuzzPeerMessages,
    "placement": fuzzPlacement,
    "shard-entries": fuzzShardEntries,
    "shard-snapshots": fuzzShardSnapshots,
    "journal": fuzzJournal,
    "snapshot-files": fuzzSnapshotFiles,
]

private let chosen: @Sendable ([UInt8]) -> Void = {
    let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
    guard let target = targets[name] else {
        print("FUZZ_TARGET is one of: \(targets.keys.sorted().joined(separator: " "))")
        exit(2)
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    chosen(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// Takes the first byte of the input for a choice.
func choice(_ bytes: inout ArraySlice<UInt8>) -> UInt8 { bytes.popFirst() ?? 0 }
