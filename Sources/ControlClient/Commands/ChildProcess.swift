import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Starts the programs of `exec-watch`. Output goes where the client's own goes; nothing waits for the program, so
/// that one event's slow handler does not hold up the next event.
enum ChildProcess {
    struct StartError: Error {
        let text: String
    }

    static func start(
        _ program: String, arguments: [String], environment: [String: String]
    ) throws(StartError) {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The event loop's library ignores SIGPIPE, and an ignored signal would stay ignored in the program.
        var ignoredHere = sigset_t()
        sigemptyset(&ignoredHere)
        sigaddset(&ignoredHere, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &ignoredHere)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)

        let words = CStrings([program] + arguments)
        let variables = CStrings(environment.map { "\($0.key)=\($0.value)" })
        defer {
            words.free()
            variables.free()
        }
        var process = pid_t()
        let code = posix_spawnp(&process, program, &files, &attributes, words.pointers, variables.pointers)
        guard code == 0 else { throw StartError(text: startFailure(of: program, errno: code)) }
        // Somebody has to collect the exit status, or the program stays behind as a zombie.
        let started = process
        Thread.detachNewThread {
            var status: Int32 = 0
            while waitpid(started, &status, 0) == -1, errno == EINTR {}
        }
    }

    /// The words of Go's `os/exec`.
    private static func startFailure(of program: String, errno code: Int32) -> String {
        let reason = String(cString: strerror(code)).lowercased()
        if program.contains("/") { return "fork/exec \(program): \(reason)" }
        return code == ENOENT
            ? "exec: \"\(program)\": executable file not found in $PATH" : "exec: \"\(program)\": \(reason)"
    }
}

/// A list of C strings with the null pointer at its end.
private struct CStrings {
    let pointers: [UnsafeMutablePointer<CChar>?]

    init(_ texts: [String]) {
        pointers = texts.map { strdup($0) } + [nil]
    }

    func free() {
        for pointer in pointers { Foundation.free(pointer) }
    }
}
