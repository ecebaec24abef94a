// What TLS costs: an echo server in four kinds (no TLS, OpenSSL with nothing around it, Holdfast's handler, swift-nio-ssl)
// and a load for each of them. Built and driven by `Benchmarks/tls`, which measures the server's processor time and memory
// from outside.

import Foundation
import NIOPosix
import TLS

@main
enum TLSBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let command = arguments.first else { return usage() }
        let rest = Array(arguments.dropFirst())
        switch (command, rest.count) {
        case ("certificates", 1): try BenchmarkFiles(directory: rest[0]).make()
        case ("serve", 3): try serve(rest[0], port: Int(rest[1]) ?? 0, BenchmarkFiles(directory: rest[2]))
        case ("load", 6):
            let isPlain = rest[1] == "plain"
            let load = Load(
                port: Int(rest[0]) ?? 0, roots: isPlain ? nil : try BenchmarkFiles(directory: rest[5]).roots(),
                connections: Int(rest[3]) ?? 1, bytes: Int(rest[4]) ?? 1)
            try load.run(rest[2])
        default: usage()
        }
    }

    private static func usage() {
        print(
            """
            tls-bench certificates DIRECTORY
            tls-bench serve plain|bare|holdfast|nio-ssl PORT DIRECTORY
            tls-bench load PORT plain|tls echo|full|resumed|idle CONNECTIONS BYTES DIRECTORY
            """)
        exit(2)
    }
}

/// A line for the script that drives this, at once.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// An authority and a server's certificate, P-256, made for the run.
struct BenchmarkFiles {
    let directory: String

    var certificate: String { directory + "/server.pem" }
    var key: String { directory + "/server.key" }

    func make() throws {
        let now = Int64(Date().timeIntervalSince1970) * 1_000
        let day: Int64 = 86_400_000
        let authority = try CertificateAuthority.make(commonName: "benchmark", lifetime: day, now: now)
        let server = try authority.issue(
            commonName: "server", names: [.ip("127.0.0.1")], usage: .server, lifetime: day, now: now)
        for (path, bytes) in [
            (directory + "/ca.pem", authority.certificate.pem), (certificate, server.certificate.pem),
            (key, try server.key.pem()),
        ] {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        }
    }

    func roots() throws -> [UInt8] { try read(directory + "/ca.pem") }

    func read(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }
}
