import HTTPTransport

/// The parameters of a keys request, decoded and not yet understood: the first value of each name wins, and the body is
/// read before the query (v2-keys.md §2).
struct KeysParameters {
    enum Name: Int {
        case previousIndex, waitIndex, recursive, sorted, wait, dir, quorum, stream, previousValue, noValueOnSuccess
        case ttl, previousExists, refresh, value
    }

    private var values = InlineArray<14, [UInt8]?>(repeating: nil)

    subscript(name: Name) -> [UInt8]? {
        get { values[name.rawValue] }
        set { values[name.rawValue] = newValue }
    }

    mutating func add(_ text: Span<UInt8>) throws(FormText.SyntaxError) {
        var place = 0
        while let pair = try FormText.nextPair(text, from: &place) {
            let value = text.extracting(pair.value)
            if let name = try Self.name(text.extracting(pair.name)), self[name] == nil {
                self[name] = try FormText.decode(value)
            } else {
                try FormText.validate(value)
            }
        }
    }

    /// Nil for names nobody knows, which are ignored. Names are case sensitive.
    private static func name(_ text: Span<UInt8>) throws(FormText.SyntaxError) -> Name? {
        if FormText.firstEscape(text) == nil { return plainName(text) }
        let decoded = try FormText.decode(text)
        return plainName(decoded.span)
    }

    private static func plainName(_ name: Span<UInt8>) -> Name? {
        switch name.count {
        case 3: name.equals("ttl") ? .ttl : name.equals("dir") ? .dir : nil
        case 4: name.equals("wait") ? .wait : nil
        case 5: name.equals("value") ? .value : nil
        case 6: name.equals("sorted") ? .sorted : name.equals("quorum") ? .quorum : name.equals("stream") ? .stream : nil
        case 7: name.equals("refresh") ? .refresh : nil
        case 9: nameOfNine(name)
        case 16: name.equals("noValueOnSuccess") ? .noValueOnSuccess : nil
        default: nil
        }
    }

    private static func nameOfNine(_ name: Span<UInt8>) -> Name? {
        if name.equals("recursive") { return .recursive }
        if name.equals("prevIndex") { return .previousIndex }
        if name.equals("prevValue") { return .previousValue }
        if name.equals("prevExist") { return .previousExists }
        return name.equals("waitIndex") ? .waitIndex : nil
    }
}
