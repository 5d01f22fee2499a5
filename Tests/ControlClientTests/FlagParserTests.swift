import Testing

@testable import ControlClient

@Suite("ctl.md A1, A2, A7: flags as Go reads them")
struct FlagParserTests {
    private let parser = FlagParser(flags: [
        Flag("ttl", kind: .int, usage: ""), Flag("recursive", "r", kind: .bool, usage: ""),
        Flag("with-value", kind: .string(), usage: ""),
    ])

    @Test(
        "Flags are found before and behind the arguments, up to two dashes",
        arguments: [
            (["/k", "v"], 0, ["/k", "v"]),
            (["--ttl", "5", "/k"], 5, ["/k"]),
            (["-ttl=5", "/k"], 5, ["/k"]),
            (["/k", "v", "--ttl", "5"], 5, ["/k", "v"]),
            (["/k", "--ttl", "-5", "v"], -5, ["/k", "v"]),
            (["/k", "-dash"], 0, ["/k", "-dash"]),
            (["--", "/k", "-dash"], 0, ["/k", "-dash"]),
            (["/k", "--", "x"], 0, ["/k", "x"]),
            (["--", "-k", "--ttl", "5"], 0, ["-k", "--ttl", "5"]),
            (["-r", "/k", "--ttl=5"], 5, ["/k"]),
            (["-", "v"], 0, ["-", "v"]),
        ] as [([String], Int64, [String])])
    func findsFlagsAnywhere(words: [String], ttl: Int64, arguments: [String]) throws {
        let parsed = try parser.parseAnywhere(words)
        #expect(parsed.int("ttl") == ttl)
        #expect(parsed.arguments == arguments)
    }

    @Test(
        "Mistakes are named in the words of Go's flag package",
        arguments: [
            (["-x", "/k"], "flag provided but not defined: -x"),
            (["-5"], "flag provided but not defined: -5"),
            (["--ttl"], "flag needs an argument: -ttl"),
            (["--ttl", "x", "/k"], "invalid value \"x\" for flag -ttl: parse error"),
            (
                ["--ttl", "99999999999999999999"],
                "invalid value \"99999999999999999999\" for flag -ttl: value out of range"
            ),
            (["-r=maybe"], "invalid boolean value \"maybe\" for -r: parse error"),
            (["---ttl"], "bad flag syntax: ---ttl"),
            (["--=x"], "bad flag syntax: --=x"),
        ] as [([String], String)])
    func namesMistakes(words: [String], text: String) {
        #expect(throws: FlagError(text: text)) { try parser.parseAnywhere(words) }
    }

    @Test("The flags of the program that exec-watch starts are left alone")
    func leavesTheProgramsFlagsAlone() throws {
        let parsed = try parser.parseAnywhere(["/k", "-r", "ls", "-r", "--", "x"], operandsBeforeRest: 1)
        #expect(parsed.bool("recursive"))
        #expect(parsed.arguments == ["/k", "ls", "-r", "--", "x"])
        let separated = try parser.parseAnywhere(["/k", "--", "ls", "-r"], operandsBeforeRest: 1)
        #expect(!separated.bool("recursive"))
        #expect(separated.arguments == ["/k", "ls", "-r"])
    }

    @Test(
        "Integers follow strconv.ParseInt with base 0",
        arguments: [
            ("0x10", .value(16)), ("010", .value(8)), ("1_0", .value(10)), ("-7", .value(-7)), ("+7", .value(7)),
            ("0b101", .value(5)), ("0x_f", .value(15)), ("1__0", .malformed), ("_1", .malformed), ("", .malformed),
            ("0x", .malformed), ("1.5", .malformed), ("٣", .malformed), ("9223372036854775808", .outOfRange),
        ] as [(String, GoLiteral.Integer)])
    func readsIntegers(text: String, expected: GoLiteral.Integer) {
        #expect(GoLiteral.int(text) == expected)
    }

    @Test(
        "Durations need a unit",
        arguments: [
            ("5s", 5_000_000_000), ("1m1.5s", 61_500_000_000), (".5s", 500_000_000), ("-2ms", -2_000_000), ("0", 0),
            ("5", nil), ("", nil), ("s", nil), ("5sx", nil), ("1.5", nil), ("99999999999h", nil), (".s", nil),
        ] as [(String, Int64?)])
    func readsDurations(text: String, nanoseconds: Int64?) {
        #expect(GoLiteral.duration(text) == nanoseconds)
    }
}
