import Keyspace
import TestSupport
import Testing

@Suite("State hash")
struct StateHashTests {
    @Test("It never changes: these digests are on disks")
    func golden() {
        var hash = StateHash()
        #expect(hash.hex == "00000000000000000000000000000000")
        hash.add("/a", .file("one", created: 1))
        #expect(hash.hex == "247b9b9cbc5483b4ba6a69c8723baf31")
        hash.add(
            "/a/long/path/of/more/than/16",
            .file("a value of 34 bytes, two and a bit", created: 2, modified: 9, expiration: -5))
        hash.add("/d", .directory(created: 3))
        #expect(hash.hex == "5c5dfda2016a129d819ff17db220f5ac")
    }

    @Test("Order does not matter, and removing gives back what was before")
    func multiset() {
        var random = SeededGenerator(seed: 1)
        let nodes = (1...200).map { number in
            (TreePath("/k\(number)"), TreeNode.file("v\(number % 7)", created: UInt64(number)))
        }
        var forwards = StateHash()
        for (path, node) in nodes { forwards.add(path, node) }
        var shuffled = StateHash()
        for (path, node) in nodes.shuffled(using: &random) { shuffled.add(path, node) }
        #expect(forwards == shuffled)
        for (path, node) in nodes.shuffled(using: &random) { shuffled.remove(path, node) }
        #expect(shuffled == StateHash())
    }

    @Test("Every field counts, and where path ends and value begins")
    func fields() {
        let node = TreeNode.file("value", created: 1, modified: 2, expiration: 3)
        let shifted = TreeNode.file("alue", created: 1, modified: 2, expiration: 3)
        var variants: [(TreePath, TreeNode)] = [("/a", node), ("/b", node), ("/av", shifted)]
        func vary(_ change: (inout TreeNode) -> Void) {
            var changed = node
            change(&changed)
            variants.append(("/a", changed))
        }
        vary { $0.isDirectory = true }
        vary { $0.value = [] }
        vary { $0.value = [0] }
        vary { $0.value = [0, 0] }
        vary { $0.value.append(0) }
        vary { $0.created = 2 }
        vary { $0.modified = 1 }
        vary { ($0.created, $0.modified) = (2, 1) }
        vary { $0.expiration = nil }
        vary { $0.expiration = 0 }
        vary { $0.expiration = -3 }
        let digests = Set(variants.map { variant in
            var hash = StateHash()
            hash.add(variant.0, variant.1)
            return hash.hex
        })
        #expect(digests.count == variants.count)
    }

    @Test("Each byte of a value counts in both halves, whatever the length")
    func everyByte() {
        for length in 1...70 {
            let value = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            var highs = Set<UInt64>()
            var lows = Set<UInt64>()
            for position in -1..<length {
                var changed = value
                if position >= 0 { changed[position] ^= 1 }
                var hash = StateHash()
                hash.add("/a", TreeNode(isDirectory: false, value: changed, created: 1, modified: 1))
                highs.insert(hash.high)
                lows.insert(hash.low)
            }
            #expect(highs.count == length + 1)
            #expect(lows.count == length + 1)
        }
    }

    @Test("One flipped bit flips about half of the digest")
    func avalanche() {
        func digest(_ number: UInt64) -> StateHash {
            var hash = StateHash()
            hash.add("/a", TreeNode(isDirectory: false, created: number, modified: 1))
            return hash
        }
        var flips = 0
        for bit in 0..<64 {
            let (left, right) = (digest(12345), digest(12345 ^ (1 << UInt64(bit))))
            flips += (left.high ^ right.high).nonzeroBitCount + (left.low ^ right.low).nonzeroBitCount
        }
        #expect((56...72).contains(flips / 64))
    }

    @Test("The text is read back, and nothing else is")
    func text() {
        let hash = StateHash(high: 0x0123_4567_89AB_CDEF, low: 0xF)
        #expect(hash.hex == "0123456789abcdef000000000000000f")
        #expect(StateHash(hex: hash.hex) == hash)
        let bad = [
            "", "0", "0123456789abcdef000000000000000", "0123456789abcdef000000000000000f0",
            "+123456789abcdef000000000000000f", "0123456789abcdef-00000000000000f", "g123456789abcdef000000000000000f",
            "é23456789abcdef000000000000000ff",
        ]
        for text in bad { #expect(StateHash(hex: text) == nil) }
    }
}
