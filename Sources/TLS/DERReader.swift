/// Reads one value after the other of what is encoded in DER (X.690 §8.1, §10.1). For lists with a hundred thousand entries: a parser that
/// makes a tree of all that is there needs ten times their size.
struct DERReader {
    /// What a value begins with.
    struct Tag: Equatable {
        let byte: UInt8

        static let integer = Tag(byte: 0x02)
        static let bitString = Tag(byte: 0x03)
        static let objectIdentifier = Tag(byte: 0x06)
        static let sequence = Tag(byte: 0x30)
    }

    struct Value {
        /// With its tag and length.
        let whole: ArraySlice<UInt8>
        let content: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// Nil at the end.
    var nextTag: Tag? { rest.first.map(Tag.init) }

    /// - Throws: when there is none of that kind, or not all of it.
    mutating func next(_ tag: Tag) throws(TLSFailure) -> Value {
        guard let found = nextTag else { throw TLSFailure("it ends too early") }
        guard found == tag else { throw TLSFailure("there is a value with tag \(found.byte) where one with \(tag.byte) is expected") }
        var head = rest.dropFirst()
        guard let first = head.popFirst() else { throw TLSFailure("it ends too early") }
        var length = Int(first)
        // Else so many bytes of the length follow. Four are more than any file has that is read here.
        if first >= 0x80 {
            let count = Int(first & 0x7f)
            guard (1...4).contains(count), head.count >= count else { throw TLSFailure("it has a value without a length that can be used") }
            length = head.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            head = head.dropFirst(count)
        }
        guard length <= head.count else { throw TLSFailure("it ends too early") }
        let content = head.prefix(length)
        defer { rest = rest[content.endIndex...] }
        return Value(whole: rest[..<content.endIndex], content: content)
    }
}
