import Testing

@testable import Server

@Suite("Command line syntax (server.md §1.1)")
struct CommandLineTests {
    @Test(
        "One dash or two, equals sign or blank: the same flag",
        arguments: [
            ["-name", "x"], ["--name", "x"], ["-name=x"], ["--name=x"], ["-n", "x"], ["--name", "y", "-name=x"],
        ])
    func dashes(arguments: [String]) {
        #expect(Outcome(arguments).configuration.name == "x")
    }

    @Test(
        "Booleans",
        arguments: [
            ("--enable-v2", true), ("--enable-v2=true", true), ("-enable-v2=1", true), ("--enable-v2=t", true),
            ("--enable-v2=T", true), ("--enable-v2=TRUE", true), ("--enable-v2=True", true),
            ("--enable-v2=false", false), ("--enable-v2=0", false), ("--enable-v2=f", false),
            ("--enable-v2=F", false), ("--enable-v2=FALSE", false), ("--enable-v2=False", false),
        ])
    func booleans(argument: String, value: Bool) {
        #expect(Outcome([argument]).configuration.enableV2 == value)
    }

    @Test(
        "What cannot be read exits with 2, a sentence and the usage",
        arguments: [
            (["-bogus"], "flag provided but not defined: -bogus"),
            (["--bogus=1"], "flag provided but not defined: -bogus"),
            (["--name"], "flag needs an argument: -name"),
            (["---name", "x"], "bad flag syntax: ---name"),
            (["-=x"], "bad flag syntax: -=x"),
            (["--=x"], "bad flag syntax: --=x"),
            (["--snapshot-count=abc"], #"invalid value "abc" for flag -snapshot-count: parse error"#),
            (["--snapshot-count", "-1"], #"invalid value "-1" for flag -snapshot-count: parse error"#),
            (["--snapshot-count="], #"invalid value "" for flag -snapshot-count: parse error"#),
            (["--snapshot-count=0x"], #"invalid value "0x" for flag -snapshot-count: parse error"#),
            (
                ["--snapshot-count=99999999999999999999999"],
                #"invalid value "99999999999999999999999" for flag -snapshot-count: value out of range"#
            ),
            (["--enable-v2=maybe"], #"invalid boolean value "maybe" for -enable-v2: parse error"#),
            (
                ["--initial-cluster-state=bogus"],
                #"invalid value "bogus" for flag -initial-cluster-state: invalid value"#
            ),
            (["--proxy=foo"], #"invalid value "foo" for flag -proxy: invalid value"#),
            (["--grpc-keepalive-timeout=5"], #"invalid value "5" for flag -grpc-keepalive-timeout: parse error"#),
            (
                ["--cors=foo"],
                #"invalid value "foo" for flag -cors: URL scheme must be http, https, unix, or unixs: foo"#
            ),
            (["-addr=foo"], #"invalid value "foo" for flag -addr: not of the form host:port"#),
            (["-version", "-bogus"], "flag provided but not defined: -bogus"),
        ])
    func unreadable(arguments: [String], sentence: String) {
        let outcome = Outcome(arguments)
        #expect(outcome.code == 2)
        #expect(outcome.lines.first == sentence)
        #expect(outcome.stderr == sentence + "\n" + HelpText.usage)
        #expect(outcome.stdout.isEmpty)
    }

    @Test(
        "A misspelt flag gets a suggestion",
        arguments: [
            ("--inital-cluster=a=http://x:1", "-inital-cluster", "--initial-cluster"),
            ("--data-dri", "-data-dri", "--data-dir"),
        ])
    func suggestion(argument: String, typed: String, meant: String) {
        let outcome = Outcome([argument])
        #expect(outcome.code == 2)
        #expect(outcome.lines.prefix(2) == ["flag provided but not defined: \(typed)", "did you mean \(meant)?"])
    }

    @Test(
        "Words that are no flags exit with 1",
        arguments: [
            (["foo"], "foo"), (["--enable-v2", "true"], "true"), (["--name", "x", "--", "--name"], "--name"),
            (["-"], "-"), (["--version", "foo"], "foo"), (["foo", "--bogus"], "foo"), ([""], ""),
        ])
    func positional(arguments: [String], word: String) {
        let outcome = Outcome(arguments)
        #expect(outcome.code == 1)
        #expect(outcome.lines == [Outcome.verifying("'\(word)' is not a valid flag")])
    }

    @Test("A bare -- ends the flags")
    func terminator() {
        #expect(Outcome(["--name", "x", "--"]).configuration.name == "x")
    }

    @Test("A sub-program of etcd that is not here is refused", arguments: ["grpc-proxy"])
    func subprograms(word: String) {
        let outcome = Outcome([word, "start"])
        #expect(outcome.code == 1)
        #expect(outcome.lines == [Outcome.verifying("'\(word)' is not supported by this version of etclite")])
    }

    @Test("Help: usage on standard error, every flag on standard output", arguments: ["-h", "-help", "--help"])
    func help(flag: String) {
        let outcome = Outcome(["--name", "x", flag, "--bogus"])
        #expect(outcome.code == 0)
        #expect(outcome.stderr.hasPrefix("Usage:\n"))
        for option in OptionTable.all where option.support != .retired {
            #expect(outcome.stdout.contains("  --\(option.name) '\(option.standard)'\n"))
        }
    }

    @Test("Version: four lines, the first as etcd's")
    func version() {
        let outcome = Outcome(["--version"])
        #expect(outcome.code == 0)
        #expect(outcome.stdout.hasPrefix("etcd Version: 3.4.23\n"))
        #expect(outcome.stdout.split(separator: "\n").count == 4)
        #expect(outcome.stderr.isEmpty)
    }

    @Test("URL lists: blanks trimmed, sorted, each once; the last flag wins")
    func urlLists() {
        let outcome = Outcome([
            "--listen-client-urls=http://127.0.0.1:9",
            "--listen-client-urls", " http://127.0.0.1:2 , http://127.0.0.1:1,http://127.0.0.1:2",
            "--advertise-client-urls=HTTP://h:1",
        ])
        #expect(outcome.configuration.listenClientURLs.map(\.text) == ["http://127.0.0.1:1", "http://127.0.0.1:2"])
        #expect(outcome.configuration.advertiseClientURLs.map(\.text) == ["http://h:1"])
    }

    @Test(
        "Numbers as Go reads them",
        arguments: [
            ("0x10", 16), ("010", 8), ("0b11", 3), ("0o17", 15), ("18446744073709551615", UInt64.max), ("0", 100_000),
        ])
    func numbers(text: String, value: UInt64) {
        #expect(Outcome(["--snapshot-count", text]).configuration.snapshotCount == value)
    }

    @Test("Flags of 0.4.6 that mean nothing any more are ignored with a warning")
    func retired() {
        let outcome = Outcome(["-v", "-cluster-active-size", "9", "-force", "-peer-heartbeat-interval=50"])
        #expect(outcome.code == nil)
        for name in ["v", "cluster-active-size", "force", "peer-heartbeat-interval"] {
            #expect(outcome.notices.contains("W | pkg/flags: flag \"-\(name)\" is no longer supported - ignoring."))
        }
    }

    @Test("The table has each name once, and every default is a value")
    func table() {
        #expect(Set(OptionTable.all.map(\.name)).count == OptionTable.all.count)
        for option in OptionTable.all where !option.standard.isEmpty {
            #expect(OptionValue.problem(option.standard, option.kind) == nil, "\(option.name)")
        }
        for (alias, name) in OptionTable.aliases {
            #expect(OptionTable.option(alias)?.name == name)
        }
    }
}
