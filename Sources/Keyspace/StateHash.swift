/// A digest of the whole tree that is kept up at the cost of the nodes that change.
///
/// Each node with its path is mixed into 128 bits, and the digest is their sum: order does not matter, and a
/// node is taken out by subtracting it. It finds replicas that diverged and files that were damaged; it is no
/// protection against someone who builds a collision. The result is written to disk and compared between
/// members, so the function never changes.
package struct StateHash: Equatable, Sendable {
    package var high: UInt64
    package var low: UInt64

    /// The digest of the empty tree.
    package init() {
        high = 0
        low = 0
    }

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package mutating func add(_ path: TreePath, _ node: TreeNode) {
        let digest = NodeMixer.digest(of: path, node)
        high &+= digest.high
        low &+= digest.low
    }

    /// - Precondition: The same path and node were added.
    package mutating func remove(_ path: TreePath, _ node: TreeNode) {
        let digest = NodeMixer.digest(of: path, node)
        high &-= digest.high
        low &-= digest.low
    }

    /// Takes out all nodes that `other` is the digest of.
    package mutating func subtract(_ other: StateHash) {
        high &-= other.high
        low &-= other.low
    }

    /// 32 lower-case hex digits.
    package var hex: String {
        [high, low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Takes exactly what `hex` gives (and upper-case digits); nil for anything else.
    package init?(hex: String) {
        guard hex.utf8.count == 32, hex.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let high = UInt64(hex.prefix(16), radix: 16), let low = UInt64(hex.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}

/// Two lanes of multiply-and-fold as in wyhash, each with its own odd constants, 16 bytes a step.
private struct NodeMixer {
    private var first: UInt64 = 0xA076_1D64_78BD_642F
    private var second: UInt64 = 0xE703_7ED1_A0B4_28DB

    static func digest(of path: TreePath, _ node: TreeNode) -> StateHash {
        var mixer = NodeMixer()
        // Lengths before bytes, so that no two sequences of fields make the same words.
        mixer.absorb(UInt64(path.bytes.count), UInt64(node.value.count))
        mixer.absorb(path.bytes)
        mixer.absorb(node.value)
        mixer.absorb(node.created, node.modified)
        let kind: UInt64 = (node.isDirectory ? 1 : 0) | (node.expiration == nil ? 0 : 2)
        mixer.absorb(UInt64(bitPattern: node.expiration ?? 0), kind)
        mixer.absorb(mixer.second, mixer.first)
        return StateHash(high: mixer.first, low: mixer.second)
    }

    /// The words are added again after the fold: a factor of zero would wipe out the other one.
    private mutating func absorb(_ left: UInt64, _ right: UInt64) {
        first = Self.fold(left ^ first ^ 0x8EBC_6AF0_9C88_C6E3, right ^ 0x5899_65CC_7537_4CC3) &+ right
        second = Self.fold(right ^ second ^ 0x1D8E_4E27_C47D_124F, left ^ 0xEB44_ACCA_B455_D165) &+ left
    }

    private mutating func absorb(_ bytes: [UInt8]) {
        // Within the bounds of the buffer: each load ends at or before `count`.
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while buffer.count - offset >= 16 {
                absorb(Self.word(buffer, offset), Self.word(buffer, offset + 8))
                offset += 16
            }
            if offset == buffer.count { return }
            if buffer.count - offset >= 8 {
                absorb(Self.word(buffer, offset), Self.tail(buffer, offset + 8))
            } else {
                absorb(Self.tail(buffer, offset), 0)
            }
        }
    }

    private static func word(_ buffer: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The last, up to seven, bytes.
    private static func tail(_ buffer: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        var word: UInt64 = 0
        for byte in buffer[offset...].reversed() { word = word << 8 | UInt64(byte) }
        return word
    }

    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
