// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors in our own targets; language mode 6 brings strict concurrency.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

// The client speaks through NIO's own codec, so that the server's is tested against another one.
let webSocket: [Target.Dependency] = [
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOWebSocket", package: "swift-nio"),
]

let package = Package(
    name: "holdfast",
    products: [
        .executable(name: "holdfast", targets: ["holdfast"]),
        .library(name: "HoldfastClient", targets: ["HoldfastClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Decide: pure state machines. No socket, file, clock or thread.
        .target(name: "Binary", swiftSettings: strict),
        .target(name: "Raft", dependencies: ["Binary"], swiftSettings: strict),
        .target(name: "Placement", dependencies: ["Binary", "Raft"], swiftSettings: strict),
        .target(
            name: "ObjectRuntime",
            dependencies: ["Binary", .product(name: "DequeModule", package: "swift-collections")],
            swiftSettings: strict),
        .target(
            name: "Cluster",
            dependencies: [
                "Binary", "Raft", "Placement", "ObjectRuntime",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict),

        // Keep: bytes on disk.
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CLMDB", pkgConfig: "lmdb",
            providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(
            name: "CLZ4", pkgConfig: "liblz4",
            providers: [.apt(["liblz4-dev"])]),
        .target(name: "CHoldfast"),
        .target(name: "Crypto", dependencies: ["COpenSSL"], swiftSettings: strict),
        .target(
            name: "Storage", dependencies: ["Binary", "Crypto", "CHoldfast", "CLMDB", "CLZ4"], swiftSettings: strict),

        .target(
            name: "StoreBinding", dependencies: ["Cluster", "ObjectRuntime", "Placement", "Raft", "Storage"],
            swiftSettings: strict),

        // Touch: sockets, files, clocks, processes.
        .target(
            name: "TLS", dependencies: ["Crypto", "COpenSSL", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: strict),
        .target(
            name: "EdgeNode",
            dependencies: nio + [
                "Cluster", "Placement", "ObjectRuntime", "Storage", "StoreBinding", "TLS", "CHoldfast", "Binary",
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            // Part of the program: a node needs no files beside it.
            resources: [
                .embedInCode("Demo/demo.html"), .embedInCode("Demo/demo.css"), .embedInCode("Demo/demo.js"),
            ],
            swiftSettings: strict),
        .target(
            name: "HoldfastClient",
            dependencies: nio + webSocket + ["TLS", .product(name: "DequeModule", package: "swift-collections")],
            swiftSettings: strict),
        .target(
            name: "Backup",
            dependencies: nio + [
                "HoldfastClient", "Cluster", "Placement", "ObjectRuntime", "Raft", "Storage", "StoreBinding", "Binary",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "holdfast",
            dependencies: nio + [
                "EdgeNode", "HoldfastClient", "LiveChecks", "Simulation", "Backup", "Placement", "ObjectRuntime", "Storage", "TLS", "CHoldfast",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: strict),

        // Beside: proof.
        .target(
            name: "Simulation",
            dependencies: ["Cluster", "Placement", "Raft", "ObjectRuntime", "Storage", "StoreBinding", "Binary"],
            swiftSettings: strict),
        .target(
            name: "LiveChecks", dependencies: nio + ["HoldfastClient", "Simulation"], swiftSettings: strict),
        .executableTarget(
            name: "chaos",
            dependencies: nio + ["HoldfastClient", "LiveChecks", "Simulation", "TLS"],
            path: "chaos/Runner",
            resources: [.embedInCode("Report/report.html")],
            swiftSettings: strict),

        .testTarget(name: "BinaryTests", dependencies: ["Binary"], swiftSettings: strict),
        .testTarget(
            name: "RaftTests", dependencies: ["Raft", "Binary"], exclude: ["Scripts"], swiftSettings: strict),
        .testTarget(name: "PlacementTests", dependencies: ["Placement", "Binary", "Raft"], swiftSettings: strict),
        .testTarget(name: "ObjectRuntimeTests", dependencies: ["ObjectRuntime", "Binary"], swiftSettings: strict),
        .testTarget(name: "StorageTests", dependencies: ["Storage", "Crypto", "Binary"], swiftSettings: strict),
        .testTarget(
            name: "TLSTests",
            dependencies: nio + [
                "TLS", "COpenSSL",
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ClusterTests",
            dependencies: ["Cluster", "Placement", "Raft", "ObjectRuntime", "Simulation", "Binary"],
            swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "Cluster", "Placement", "Raft", "ObjectRuntime"],
            swiftSettings: strict),
        // Bugs of other systems, by number. It borrows the drivers of the suites beside it.
        .testTarget(
            name: "RegressionTests",
            dependencies: [
                "Raft", "Storage", "Cluster", "Placement", "ObjectRuntime", "Simulation", "Binary", "RaftTests",
                "StorageTests", "ClusterTests", "SimulationTests",
            ],
            path: "Tests/Regressions", exclude: ["README.md"], swiftSettings: strict),
        .testTarget(
            name: "HoldfastClientTests",
            dependencies: nio + webSocket + [
                "HoldfastClient", "LiveChecks", "holdfast", "chaos", "EdgeNode", "TLS", "Simulation",
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "BackupTests",
            dependencies: [
                "Backup", "HoldfastClient", "Cluster", "Placement", "ObjectRuntime", "Raft", "Storage", "Binary",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "EdgeNodeTests",
            dependencies: nio + [
                "EdgeNode", "HoldfastClient", "TLS", "Cluster", "Placement", "ObjectRuntime", "Raft", "Binary",
                "Storage", "StoreBinding",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),
    ]
)

// Fuzzers are a program of their own, which only `scripts/fuzz` builds: libFuzzer brings its `main`.
if Context.environment["HOLDFAST_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz",
            dependencies: nio + [
                "EdgeNode", "TLS", "Cluster", "Placement", "ObjectRuntime", "Raft", "Binary", "Storage", "StoreBinding", "Crypto",
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Fuzzers", exclude: ["Corpus"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}

// What TLS costs beside others (`Benchmarks/tls`).
if Context.environment["HOLDFAST_BENCHMARKS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"))
    package.targets.append(
        .executableTarget(
            name: "tls-bench",
            dependencies: nio + [
                "TLS", "COpenSSL",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Benchmarks/TLS", swiftSettings: strict))
}
