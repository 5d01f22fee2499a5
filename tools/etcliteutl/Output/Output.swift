import Foundation
import Keyspace
import Recovery

/// Where everything that is printed goes through.
enum Output {
    static func print(_ text: String) { write(Array((text + "\n").utf8)) }

    /// Ends the process with 2 when they cannot be written: a full disk must not make half of an answer look like all of it.
    static func write(_ bytes: [UInt8]) {
        let code = write(bytes, to: STDOUT_FILENO)
        guard code != 0 else { return }
        standardError("etcliteutl: cannot write to standard output: \(String(cString: strerror(code)).lowercased())")
        exit(2)
    }

    /// Where errors are told may be full or gone: there is nobody else to tell.
    static func standardError(_ text: String) { _ = write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    /// 0, or the reason of the system.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Somebody who shares the pipe or terminal has told it not to wait.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    /// One object on one line; keys are sorted.
    static func print(json value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return standardError("etcliteutl: cannot encode its own output") }
        write(Array(data) + [UInt8(ascii: "\n")])
    }

    static func fail(_ error: RecoveryError) -> Never {
        standardError("etcliteutl: \(error)")
        switch error {
        case .refused: exit(1)
        case .cannotLook: exit(2)
        }
    }

    /// Lines of `name: value`, aligned.
    static func print(table rows: [(String, String)]) {
        let width = rows.map(\.0.count).max() ?? 0
        for (name, value) in rows {
            print(name + ":" + String(repeating: " ", count: width - name.count + 1) + value)
        }
    }

    /// Bytes for a terminal: what is no text, or would move the cursor, is escaped.
    static func visible(_ bytes: [UInt8]) -> String {
        var text = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\\": text += "\\\\"
            case _ where scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format:
                text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    static func visible(_ path: TreePath) -> String { path.isRoot ? "/" : visible(path.bytes) }
}

/// Bytes in JSON: as text, and beside it in base 64 when the text does not say it all.
struct BytesJSON {
    let text: String
    let base64: String?

    init(_ bytes: [UInt8]) {
        text = String(decoding: bytes, as: UTF8.self)
        base64 = Array(text.utf8) == bytes ? nil : Data(bytes).base64EncodedString()
    }
}

/// `write(2)`, under a name that the methods above do not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
