import Keyspace
import TestSupport
import Testing
import Wire

@Suite("Key tree commands in the log")
struct CommandCodecTests {
    private static func payload(_ command: Command) -> EntryPayload {
        CommandCodec.encode(command, time: 99, client: Array("c".utf8), request: 5)
    }

    @Test("Golden bytes: plain fields for a shell, options only for what has no field")
    func golden() {
        var set = Command(.set, TreePath("/a"))
        set.value = Array("1".utf8)
        #expect(
            Self.payload(set)
                == EntryPayload(
                    kind: .keys, version: 1, operation: 1, path: Array("/a".utf8), value: Array("1".utf8), options: [], time: 99,
                    client: Array("c".utf8), request: 5))

        var swap = Command(.compareAndSwap, TreePath("/a"))
        swap.isRefresh = true
        swap.expiration = 1_700_000_000_000_000_000
        swap.previousValue = Array("ol".utf8)
        swap.previousIndex = 300
        #expect(
            Self.payload(swap).options
                == [0x3c, 0x00, 0x00, 0x2a, 0x36, 0xfe, 0x9c, 0x97, 0x17, 0x02, 0x6f, 0x6c, 0xac, 0x02])

        var delete = Command(.delete, .root)
        delete.isDirectory = true
        delete.isRecursive = true
        #expect(Self.payload(delete).options == [0x03])
        #expect(Self.payload(delete).path == [])
    }

    @Test("Numbers of the operations are stored, so they never change")
    func operationNumbers() {
        let numbers = Command.Operation.allCases.map { ($0, $0.rawValue) }
        #expect(numbers.map(\.1) == [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(
            numbers.map(\.0) == [.set, .create, .createInOrder, .update, .compareAndSwap, .delete, .compareAndDelete, .expire])
        #expect(EntryKind.empty.rawValue == 0 && EntryKind.keys.rawValue == 1 && EntryKind.membership.rawValue == 2)
    }

    private static func random(_ generator: inout SeededGenerator) -> Command {
        func bytes(_ max: Int) -> [UInt8] {
            (0..<Int.random(in: 0...max, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        let operations = Command.Operation.allCases
        var command = Command(
            operations[Int.random(in: 0..<operations.count, using: &generator)], TreePath(clean: bytes(12)))
        command.value = bytes(200)
        command.isDirectory = Bool.random(using: &generator)
        command.isRecursive = Bool.random(using: &generator)
        command.isRefresh = Bool.random(using: &generator)
        if Bool.random(using: &generator) { command.expiration = Int64.random(in: .min ... .max, using: &generator) }
        if Bool.random(using: &generator) { command.previousValue = bytes(150) }
        if Bool.random(using: &generator) { command.previousIndex = UInt64.random(in: 0 ... .max, using: &generator) }
        return command
    }

    @Test("Any command comes back as it was", arguments: 1...20)
    func roundTrip(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let command = Self.random(&generator)
            #expect(CommandCodec.decode(Self.payload(command)) == command, "seed \(seed)")
        }
    }

    @Test("An empty previous value is a condition, none is not")
    func emptyPreviousValue() {
        var command = Command(.compareAndSwap, TreePath("/a"))
        command.previousValue = []
        #expect(CommandCodec.decode(Self.payload(command))?.previousValue == [UInt8]())
        command.previousValue = nil
        #expect(CommandCodec.decode(Self.payload(command))?.previousValue == nil)
    }

    @Test("Options that were cut short, or go on behind their end, are refused", arguments: 1...20)
    func truncated(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<30 {
            var payload = Self.payload(Self.random(&generator))
            let whole = payload.options
            for length in whole.indices.dropFirst() {
                payload.options = Array(whole[..<length])
                #expect(CommandCodec.decode(payload) == nil, "\(length) of \(whole), seed \(seed)")
            }
            guard !whole.isEmpty else { continue }
            payload.options = whole + [0]
            #expect(CommandCodec.decode(payload) == nil, "one byte more, seed \(seed)")
        }
    }

    @Test("Any bytes as options are a command or nothing, never a trap", arguments: 1...20)
    func hostileOptions(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var payload = Self.payload(Self.random(&generator))
            payload.options = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                // Lengths that are too large are the interesting ones.
                Bool.random(using: &generator) ? 0xff : UInt8.random(in: 0...255, using: &generator)
            }
            if let first = payload.options.first, first & 0xc0 != 0 {
                #expect(CommandCodec.decode(payload) == nil, "unknown flags in \(payload.options), seed \(seed)")
            } else {
                _ = CommandCodec.decode(payload)
            }
        }
    }

    @Test("A command that is moved to another time takes its expiration along, and nothing else changes")
    func shifted() throws {
        var command = Command(.set, TreePath("/ttl"))
        command.value = [1, 2]
        command.previousValue = [3]
        command.expiration = 1_060
        let payload = CommandCodec.encode(command, time: 1_000, client: [4], request: 5)
        let shifted = CommandCodec.shifted(payload, to: 400)
        command.expiration = 460
        #expect(shifted == CommandCodec.encode(command, time: 400, client: [4], request: 5))
        command.expiration = nil
        let plain = CommandCodec.encode(command, time: 1_000, client: [4], request: 5)
        #expect(CommandCodec.shifted(plain, to: 400) == CommandCodec.encode(command, time: 400, client: [4], request: 5))
        // A peer may send anything.
        command.expiration = .max
        let extreme = CommandCodec.encode(command, time: .min, client: [], request: 0)
        #expect(CommandCodec.decode(CommandCodec.shifted(extreme, to: .max)) != nil)
    }

    @Test("Another kind, version or operation is not guessed at")
    func unknown() {
        let good = Self.payload(Command(.set, TreePath("/a")))
        for change: (inout EntryPayload) -> Void in [
            { $0.kind = 2 }, { $0.kind = 77 }, { $0.version = 2 }, { $0.version = 0 }, { $0.operation = 0 }, { $0.operation = 9 },
        ] {
            var payload = good
            change(&payload)
            #expect(CommandCodec.decode(payload) == nil, "\(payload)")
        }
    }
}
