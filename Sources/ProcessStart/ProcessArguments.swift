#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The words of the command line.
package enum ProcessArguments {
    /// The program's name first; nil when they cannot be found out.
    ///
    /// Swift finds them from where the environment lies in memory, and one linked statically looks only when preloaded libraries have begun.
    /// One that sets a variable moves the environment, and then there are none: a program that took that for an empty command line would start with defaults that nobody asked for.
    package static var all: [String]? { choose(CommandLine.arguments) { contents(of: "/proc/self/cmdline") } }

    /// - Parameter kernel: the words as the kernel keeps them, each with a zero byte behind it; nil when it does not tell.
    static func choose(_ known: [String], kernel: () -> [UInt8]?) -> [String]? {
        guard known.isEmpty else { return known }
        guard var bytes = kernel(), !bytes.isEmpty else { return nil }
        // A word may be empty; the last zero ends a word and begins none.
        if bytes.last == 0 { bytes.removeLast() }
        return bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What to say when there are none.
    package static let unknown = "cannot read the command line: it is empty, and /proc/self/cmdline does not tell it either\n"

    private static func contents(of path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk.prefix(count))
        }
    }
}
