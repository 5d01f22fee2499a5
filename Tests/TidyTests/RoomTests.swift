import Testing

/// The borders of ARCHITECTURE.md, as tables. A new import is a decision: change the table with it.
private enum Borders {
    static let system: Set<String> = ["Glibc", "Musl", "Synchronization"]
    static let network: Set<String> = ["NIOCore", "NIOPosix", "NIOHTTP1", "NIOConcurrencyHelpers", "Logging"]

    /// Rooms that may not even import the system's library.
    static let pure: [String: Set<String>] = [
        "Raft": [], "Keyspace": [], "Access": [], "Wire": ["Raft", "Keyspace", "Access"], "Replica": ["Raft", "Keyspace", "Wire"],
    ]

    static let rooms: [String: Set<String>] = pure.merging(
        [
            "CSQLite": [], "CPageChecksum": [], "SQLite": ["CSQLite", "CPageChecksum"],
            "Storage": ["SQLite", "Migrations", "Raft", "Keyspace", "Access", "Wire"],
            "ReplicaHost": ["Replica", "Storage", "PeerTransport", "TLS", "Raft", "Keyspace", "Access", "Wire"],
            "TLS": [], "HTTPTransport": ["TLS"], "Discovery": ["HTTPTransport"], "Proxy": ["HTTPTransport", "TLS"],
            "PeerTransport": ["HTTPTransport", "TLS", "Raft", "Wire"],
            "ClientAPI": ["ReplicaHost", "HTTPTransport", "Keyspace", "Access"],
            "Server": ["ClientAPI", "Discovery", "Proxy", "ReplicaHost", "PeerTransport", "HTTPTransport", "TLS", "Storage", "Raft", "Keyspace", "Wire", "Manual"],
            "CSimulatedDisk": ["CSQLite"],
            "Simulation": ["CSimulatedDisk", "Replica", "Storage", "Raft", "Keyspace", "Wire"],
            "Recovery": ["Storage", "SQLite", "Raft", "Keyspace", "Access", "Wire"], "ControlClient": ["Discovery", "HTTPTransport", "TLS", "Recovery", "Manual"], "Manual": [],
            "ProcessStart": [], "etclite": ["Server", "ProcessStart"], "etclitectl": ["ControlClient", "ProcessStart"],
        ]
    ) { first, _ in first }

    /// What comes from outside the package.
    static let outside: [String: Set<String>] = [
        "Replica": ["DequeModule"],
        "Storage": system, "Recovery": system, "SQLite": system, "ReplicaHost": network.union(system).union(["Dispatch"]),
        "TLS": network.union(system).union(["NIOSSL", "X509", "SwiftASN1", "Crypto", "Foundation"]),
        "HTTPTransport": network.union(system).union(["NIOSSL", "NIOTLS"]), "Discovery": system.union(["Foundation"]), "Proxy": network.union(system).union(["NIOSSL", "NIOTLS"]),
        "PeerTransport": network.union(system).union(["NIOSSL", "NIOTLS"]),
        "ClientAPI": network.union(system).union(["Crypto", "CryptoExtras"]), "Server": network.union(system).union(["Yams", "Foundation", "Dispatch"]), "ProcessStart": system,
        "ControlClient": network.union(system).union(["Foundation"]), "etclite": system.union(["Foundation"]),
        "etclitectl": system.union(["Foundation"]),
    ]
}

@Suite("Borders between the rooms")
struct RoomTests {
    @Test("Each room is in the table, and imports only what the table allows it", arguments: SourceTree.names(in: "Sources"))
    func imports(room: String) throws {
        let own = try #require(Borders.rooms[room], "the room \(room) is not in the table")
        let allowed = own.union(Borders.outside[room] ?? [])
        let files = SourceTree.files(in: "Sources/\(room)")
        for file in files {
            for module in try SourceTree.imports(of: file) { #expect(allowed.contains(module), "\(file) imports \(module)") }
        }
    }

    @Test("Only the cellar and the workshop reach SQL")
    func whoReachesSQL() throws {
        for room in SourceTree.names(in: "Sources") where !["SQLite", "Storage", "Recovery", "CPageChecksum"].contains(room) {
            for file in SourceTree.files(in: "Sources/\(room)") {
                let imports = try SourceTree.imports(of: file)
                #expect(!imports.contains("SQLite") && !imports.contains("CSQLite"), "\(file)")
                if room == "ClientAPI" || room == "HTTPTransport" { #expect(!imports.contains("Storage"), "\(file)") }
            }
        }
        for file in SourceTree.files(in: "tools") { #expect(try !SourceTree.imports(of: file).contains("SQLite"), "\(file)") }
        for file in SourceTree.files(in: "Sources") where !file.hasPrefix("Sources/SQLite/") {
            #expect(try !SourceTree.imports(of: file).contains("CSQLite"), "\(file)")
        }
    }

    @Test("Pure rooms have no clock, thread, chance, task or output", arguments: ["Raft", "Keyspace", "Access", "Wire", "Replica"])
    func pure(room: String) throws {
        let files = SourceTree.files(in: "Sources/\(room)")
        #expect(!files.isEmpty)
        let banned = [
            /\basync\b/, /\bawait\b/, /\bTask\b/, /\.random\(/, /\bshuffled?\(/, /RandomNumberGenerator/, /\bClock\b/,
            /ContinuousClock/,
            /\bDate\b/, /\bprint\(/, /\bDispatch/, /\bMutex\b/, /hashValue/, /@unchecked/, /nonisolated\(unsafe\)/,
        ]
        for file in files {
            let code = try SourceTree.code(file)
            for word in banned {
                if let match = code.firstMatch(of: word) { Issue.record("\(file): \(match.output)") }
            }
        }
    }

    @Test("Nothing is public: the package is an application")
    func nothingIsPublic() throws {
        for file in SourceTree.files(in: "Sources") {
            if try SourceTree.code(file).firstMatch(
                of: /(?m)^\s*(public|open) (func|struct|class|enum|protocol|let|var|init|static|final)/) != nil
            {
                Issue.record("\(file)")
            }
        }
    }
}

@Suite("Files")
struct FileTests {
    @Test("No source file has more than 500 lines")
    func length() throws {
        let files = ["Sources", "Tests", "tools", "migrations"].flatMap { SourceTree.files(in: $0) }
        #expect(files.count > 50)
        for file in files {
            let lines = try SourceTree.text(file).split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(lines <= 500, "\(file) has \(lines)")
        }
    }

    @Test("No check that stops a wrong program is turned off: exclusivity, overflow, bounds")
    func checksStayOn() throws {
        let off = [
            "enforce-exclusivity=" + "unchecked", "enforce-exclusivity=" + "none", "@exclusivity(" + "unchecked)", "-O" + "unchecked",
            "unsafe" + "Flags",
        ]
        let tools = SourceTree.names(in: "tools").filter { !$0.contains(".") }.map { "tools/" + $0 }
        let scripts = tools.filter { (try? SourceTree.text($0)) != nil }
        #expect(scripts.contains("tools/run") && scripts.contains("tools/setup"))
        for file in ["Package.swift"] + scripts + ["Sources", "Tests", "tools", "migrations"].flatMap({ SourceTree.files(in: $0) }) {
            let text = try SourceTree.text(file)
            for word in off { #expect(!text.contains(word), "\(file): \(word)") }
        }
    }

    @Test("Nothing is left to be done, and no conflict to be solved")
    func leftovers() throws {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "<<<" + "<<<<", ">>>" + ">>>>"]
        for file in ["Sources", "Tests", "tools", "migrations"].flatMap({ SourceTree.files(in: $0) }) {
            let text = try SourceTree.text(file)
            for mark in marks { #expect(!text.contains(mark), "\(file): \(mark)") }
            #expect(text.hasSuffix("\n") && !text.contains("\t") && !text.contains(" \n"), "\(file): white space")
        }
    }
}

@Suite("Migrations")
struct MigrationTests {
    @Test("Numbered without a gap; files, catalogue and Package.swift name the same ones")
    func oneList() throws {
        let files = SourceTree.files(in: "migrations", ending: ".sql").map { $0.dropFirst("migrations/".count).dropLast(4) }.map(
            String.init)
        #expect(!files.isEmpty)
        for (position, file) in files.enumerated() {
            #expect(file.wholeMatch(of: /\d{4}_(log|tree)_[a-z0-9_]+/) != nil, "\(file)")
            #expect(Int(file.prefix(4)) == position + 1, "\(file)")
        }

        let manifest = try SourceTree.text("Package.swift")
        let list = try #require(manifest.firstMatch(of: /let migrations = \[([^\]]*)\]/)).output.1
        #expect(list.matches(of: /"([^"]*)"/).map { String($0.output.1) } == files)

        let catalogue = try SourceTree.text("migrations/Migrations.swift")
        let lines = catalogue.matches(of: /File\(number: (\d+), title: "([^"]*)", sql: text\(PackageResources\._(\w+)_sql\)\)/)
        // A name's leading digit is lost in the generated identifier, with the underscore in its place.
        let named = lines.map { (Int($0.output.1) ?? 0, String($0.output.3), String($0.output.2)) }.sorted { $0.0 < $1.0 }
        #expect(named.map(\.0) == Array(1...files.count))
        #expect(named.map { "0" + $0.1 } == files)
        let titles = files.map { String($0.dropFirst(5)).split(separator: "_").joined(separator: " ") }
        #expect(named.map(\.2) == titles)
    }

    @Test("Each is in the list of the file whose name it bears")
    func rightList() throws {
        let catalogue = try SourceTree.text("migrations/Migrations.swift")
        for kind in ["log", "tree"] {
            let list =
                try #require(catalogue.firstMatch(of: try Regex("static let \(kind): \\[File\\] = \\[([^\\]]*)\\]"))).output[1]
                .substring ?? ""
            let titles = list.matches(of: /title: "([^"]*)"/).map { String($0.output.1) }
            #expect(!titles.isEmpty && titles.allSatisfy { $0.hasPrefix(kind + " ") }, "\(kind): \(titles)")
        }
    }
}
