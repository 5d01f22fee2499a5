import NIOCore

extension ByteBuffer {
    /// Writes a JSON string as Go's encoder does, with its quotes (v2-keys.md §5): safe inside HTML, and each byte that
    /// is not part of valid UTF-8 as `\ufffd`.
    mutating func writeJSONString(_ bytes: [UInt8]) {
        let text = bytes.span
        writeInteger(UInt8(ascii: "\""))
        // Bytes from `start` on are sent as they are, and wait to be copied in one piece.
        var start = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte < 0x80 {
                if Self.isPlain(byte) {
                    index += 1
                    continue
                }
                writeBytes(text.extracting(start..<index).bytes)
                writeEscape(of: byte)
                index += 1
                start = index
            } else {
                let length = UTF8Sequence.length(text, at: index)
                let isSeparator = length == 3 && byte == 0xe2 && text[index + 1] == 0x80 && text[index + 2] & 0xfe == 0xa8
                if length > 0, !isSeparator {
                    index += length
                    continue
                }
                writeBytes(text.extracting(start..<index).bytes)
                if length == 0 {
                    writeStaticString("\\ufffd")
                    index += 1
                } else {
                    // U+2028 and U+2029 end a line in old JavaScript.
                    writeStaticString(text[index + 2] == 0xa8 ? "\\u2028" : "\\u2029")
                    index += length
                }
                start = index
            }
        }
        writeBytes(text.extracting(start..<text.count).bytes)
        writeInteger(UInt8(ascii: "\""))
    }

    mutating func writeJSONString(_ text: String) { writeJSONString(Array(text.utf8)) }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
            false
        default: true
        }
    }

    private mutating func writeEscape(of byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): writeStaticString("\\\"")
        case UInt8(ascii: "\\"): writeStaticString("\\\\")
        case UInt8(ascii: "\n"): writeStaticString("\\n")
        case UInt8(ascii: "\r"): writeStaticString("\\r")
        case UInt8(ascii: "\t"): writeStaticString("\\t")
        default:
            writeStaticString("\\u00")
            for digit in [byte >> 4, byte & 0xf] {
                writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}

/// Valid UTF-8 as RFC 3629 §4 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Sequence {
    /// Bytes of the character that begins at `index`, zero when none does.
    static func length(_ text: Span<UInt8>, at index: Int) -> Int {
        let first = text[index]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch first {
        case 0..<0x80: return 1
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: length = 4
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: return 0
        }
        guard text.count - index >= length, second.contains(text[index + 1]) else { return 0 }
        for offset in 2..<max(length, 2) where text[index + offset] & 0xc0 != 0x80 { return 0 }
        return length
    }
}
