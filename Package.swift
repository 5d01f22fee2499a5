// swift-tools-version: 6.2
import PackageDescription

// One list of settings for every room; floors and borders are drawn in ARCHITECTURE.md.
//
// Exclusivity stays checked while the program runs, in release builds too, which is what the compiler does unless it is told otherwise:
// two accesses to one variable at a time end the process at that place instead of changing data that nobody meant. So do overflows and
// indices (no unchecked optimisation). `TidyTests` sees to it that nothing here, in the sources or in tools/ turns a check off.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
    .define("FAILPOINTS", .when(configuration: .debug)),
]

// Adding a migration: the SQL file, its name here, a line in migrations/Migrations.swift.
let migrations = [
    "0001_log_initial", "0002_tree_initial", "0003_log_install", "0004_tree_checksum", "0005_log_row_checksums", "0006_log_access",
    "0007_tree_access", "0008_tree_values",
]

func room(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func frontDoor(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: [Target.Dependency] = [
    .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "CryptoExtras", package: "swift-crypto"),
]
let nioTLS: [Target.Dependency] = [
    .product(name: "NIOTLS", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let certificates: [Target.Dependency] = [
    .product(name: "X509", package: "swift-certificates"),
    .product(name: "SwiftASN1", package: "swift-asn1"),
]
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let targets: [Target] = [
    // Ground floor: pure and deterministic.
    room("Raft"),
    room("Keyspace"),
    room("Access"),
    room("Wire", ["Raft", "Keyspace", "Access"]),
    room("Replica", ["Raft", "Keyspace", "Wire", .product(name: "DequeModule", package: "swift-collections")]),
    // Cellar: durable things.
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .target(name: "CPageChecksum", dependencies: ["CSQLite"]),
    room("SQLite", ["CSQLite", "CPageChecksum"]),
    .target(
        name: "Migrations", path: "migrations", exclude: ["README.md"],
        resources: migrations.map { .embedInCode("\($0).sql") }, swiftSettings: settings),
    room("Storage", ["SQLite", "Migrations", "Raft", "Keyspace", "Access", "Wire"]),
    // First floor: running things.
    room("ReplicaHost", ["Replica", "Storage", "PeerTransport", "TLS", "Raft", "Keyspace", "Access", "Wire", logging] + nio),
    room("TLS", nio + nioTLS + certificates + crypto),
    room("HTTPTransport", ["TLS", logging] + nio + [nioHTTP] + nioTLS),
    room("Discovery", ["HTTPTransport"]),
    room("Proxy", ["HTTPTransport", "TLS", logging] + nio + [nioHTTP]),
    room("PeerTransport", ["HTTPTransport", "TLS", "Raft", "Wire", logging] + nio + nioTLS),
    room("ClientAPI", ["ReplicaHost", "HTTPTransport", "Keyspace", "Access", logging] + nio + [nioHTTP] + crypto),
    room(
        "Server",
        ["ClientAPI", "Discovery", "Proxy", "ReplicaHost", "PeerTransport", "HTTPTransport", "TLS", "Storage", "Raft", "Keyspace", "Wire", "Manual", logging]
            + nio + [.product(name: "Yams", package: "Yams")]),
    // Workshop and front doors.
    room("ProcessStart"),
    .target(name: "CSimulatedDisk", dependencies: ["CSQLite"]),
    room("Simulation", ["CSimulatedDisk", "Replica", "Storage", "Raft", "Keyspace", "Wire"]),
    room("Recovery", ["Storage", "Raft", "Keyspace", "Access", "Wire"]),
    room("Manual"),
    room("ControlClient", ["Discovery", "HTTPTransport", "TLS", "Recovery", "Manual"] + nio),
    frontDoor("etclite", ["Server", "ProcessStart"]),
    frontDoor("etclitectl", ["ControlClient", "ProcessStart"]),
    frontDoor(
        "etcliteutl", ["Recovery", "Storage", "Keyspace", "HTTPTransport", "TLS", "Manual", "ProcessStart", argumentParser] + nio, path: "tools/etcliteutl"),
    frontDoor("simulator", ["Simulation", "ProcessStart"], path: "tools/simulator"),
    // Tests: one target a room, and the real binaries in EndToEndTests.
    .target(name: "TestSupport", dependencies: ["Raft"], path: "Tests/TestSupport", swiftSettings: settings),
    tests("RaftTests", ["TestSupport", "Raft"]),
    tests("KeyspaceTests", ["TestSupport", "Keyspace"]),
    tests("AccessTests", ["Access"]),
    tests("WireTests", ["TestSupport", "Wire", "Raft", "Keyspace", "Access"]),
    tests("ReplicaTests", ["TestSupport", "Replica", "Raft", "Keyspace", "Wire"]),
    tests("SQLiteTests", ["TestSupport", "SQLite"]),
    tests("StorageTests", ["TestSupport", "Storage", "SQLite", "Raft", "Keyspace", "Access", "Wire"]),
    tests("ReplicaHostTests", ["TestSupport", "ReplicaHost", "Storage", "SQLite", "Raft", "Keyspace", "Wire"] + nio),
    tests("DiscoveryTests", ["Discovery", "HTTPTransport"] + nio),
    tests("ProxyTests", ["TestSupport", "Proxy", "HTTPTransport", logging] + nio),
    .target(name: "TestCertificates", dependencies: certificates + crypto, path: "Tests/TestCertificates", swiftSettings: settings),
    tests("TLSTests", ["TLS", "TestCertificates"] + nio + nioTLS),
    tests("HTTPTransportTests", ["TestSupport", "TestCertificates", "HTTPTransport", "TLS"] + nio + nioTLS),
    tests("PeerTransportTests", ["TestSupport", "TestCertificates", "PeerTransport", "HTTPTransport", "TLS", "Raft", "Wire"] + nio),
    tests("ClientAPITests", ["TestSupport", "ClientAPI", "ReplicaHost", "HTTPTransport", "Keyspace", "Access"] + nio, exclude: ["Transcripts"]),
    tests("ServerTests", ["TestCertificates", "Server", "Discovery", "TLS", "ProcessStart", "PeerTransport", "Wire", logging] + nio),
    tests("SimulationTests", ["Simulation", "CSimulatedDisk", "Replica", "Storage", "SQLite", "Raft", "Keyspace", "Wire"]),
    tests("RecoveryTests", ["TestSupport", "Recovery", "Storage", "SQLite", "Raft", "Keyspace", "Wire"]),
    tests("ControlClientTests", ["TestCertificates", "ControlClient", "Discovery", "HTTPTransport", "TLS"] + nio + [nioHTTP]),
    tests(
        "EndToEndTests",
        ["TestSupport", "TestCertificates", "HTTPTransport", "TLS", "Simulation", "etclite", "etclitectl", "etcliteutl"] + nio, exclude: ["Clients"]),
    tests("TidyTests", []),
]

let package = Package(
    name: "etclite",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: targets,
    swiftLanguageModes: [.v6]
)
