import Glibc
import SQLite
import Testing

/// A directory that goes away with the test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/etclite-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemFailure(call: "mkdtemp", code: errno) }
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    func file(_ name: String) -> String { path + "/" + name }

    private static func remove(_ path: String) {
        if let handle = opendir(path) {
            while let entry = readdir(handle) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { remove(path + "/" + name) }
            }
            closedir(handle)
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}

struct SystemFailure: Error {
    let call: String
    let code: Int32
}

enum Files {
    static func read(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw SystemFailure(call: "open \(path)", code: errno) }
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done, off_t(done))
            }
            guard count > 0 else { throw SystemFailure(call: "read \(path)", code: errno) }
            done += count
        }
        return bytes
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure(call: "open \(path)", code: errno) }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw SystemFailure(call: "write", code: errno) }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func size(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : -1
    }
}

/// The plain shell of SQLite, which knows nothing of this program.
enum Shell {
    static var path: String? { ["/usr/bin/sqlite3", "/usr/local/bin/sqlite3"].first { access($0, X_OK) == 0 } }

    /// What the shell prints, errors too.
    static func run(_ database: String, _ sql: String) throws -> String {
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
