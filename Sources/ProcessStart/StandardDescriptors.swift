#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Standard input, output and error.
package enum StandardDescriptors {
    /// Opens those that whoever started the process has closed. Call before anything else is opened: a file of the data directory that got
    /// one of these numbers would have error messages written into it.
    package static func open() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is given out, so it is this one.
            _ = systemOpen("/dev/null", O_RDWR)
        }
    }

    /// For the few words of a program that does not start.
    package static func writeError(_ text: String) {
        let bytes = Array(text.utf8)
        // There is nobody else to tell.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}

/// `open(2)`, under a name that the function above does not hide.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
