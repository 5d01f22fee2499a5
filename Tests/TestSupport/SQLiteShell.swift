import Glibc

/// The plain shell of SQLite, which knows nothing of this program.
package enum Shell {
    package static var path: String? { ["/usr/bin/sqlite3", "/usr/local/bin/sqlite3"].first { access($0, X_OK) == 0 } }

    /// What the shell prints, errors too.
    package static func run(_ database: String, _ sql: String) throws -> String {
        guard let path else { throw SystemFailure(call: "no sqlite3", code: ENOENT) }
        var pipes: [Int32] = [0, 0]
        pipe(&pipes)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 2)
        posix_spawn_file_actions_addclose(&actions, pipes[0])
        defer { posix_spawn_file_actions_destroy(&actions) }
        var child: pid_t = 0
        let words: [String] = [path, "-batch", "-init", "/dev/null", database, sql]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        let result = posix_spawn(&child, path, &actions, nil, &arguments, environ)
        close(pipes[1])
        guard result == 0 else { throw SystemFailure(call: "posix_spawn", code: result) }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(pipes[0], &buffer, buffer.count)
            guard count > 0 else { break }
            output += buffer[..<count]
        }
        close(pipes[0])
        var status: Int32 = 0
        waitpid(child, &status, 0)
        return String(decoding: output, as: UTF8.self)
    }
}
