import Foundation
import Testing

/// Writes that fail for another reason than a disk without a free block.
@Suite("Disk quotas", .blocking)
struct QuotaTests {
    /// While a file is there, writes to another one fail.
    private static let shim = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>

        static int fails(int fd) {
            char link[64], path[4096];
            const char *name = getenv("TEST_WRITE_FILE"), *trigger = getenv("TEST_WRITE_TRIGGER"), *code = getenv("TEST_WRITE_ERRNO");
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t count = readlink(link, path, sizeof path - 1);
            if (!name || !trigger || !code || count < 0 || access(trigger, F_OK) != 0) return 0;
            path[count] = 0;
            size_t length = strlen(name);
            if ((size_t)count < length || strcmp(path + count - length, name) != 0) return 0;
            errno = atoi(code);
            return 1;
        }

        ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
            static ssize_t (*real)(int, const void *, size_t, off64_t);
            if (!real) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
            return fails(fd) ? -1 : real(fd, bytes, count, offset);
        }

        ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }
        """

    private func environment(_ file: String, _ code: Int32, in place: Workplace) throws -> [String: String]? {
        guard Program.isInstalled("clang") else {
            print("not tested: writes that fail (there is no clang here)")
            return nil
        }
        try Files.write(Array(Self.shim.utf8), to: place("shim.c"))
        let compiled = try Run("clang", ["-shared", "-fPIC", "-o", place("shim.so"), place("shim.c"), "-ldl"])
        try #require(compiled.isClean, "\(compiled.text)")
        return [
            "LD_PRELOAD": place("shim.so"), "TEST_WRITE_FILE": "/member/" + file, "TEST_WRITE_TRIGGER": place("trigger"),
            "TEST_WRITE_ERRNO": "\(code)",
        ]
    }

    @Test("A quota that is used up is a full disk: writes are refused until there is room", arguments: ["log.db-wal", "tree.db-wal"])
    func quota(file: String) throws {
        let place = try Workplace()
        guard let environment = try environment(file, EDQUOT, in: place) else { return }
        let server = try Server(place("data"), environment: environment)
        #expect(try server.client().put("/before", "1").isSuccess)
        try Files.write([], to: place("trigger"))
        #expect(try eventually { try server.client(timeoutSeconds: 3).put("/full", "1").status == 500 })
        let refusal = try server.client().put("/full", "1").answer()
        #expect(refusal.errorCode == 300 && refusal.cause?.contains("no space left on the disk of this member") == true, "\(refusal)")
        #expect(try server.client().get("/before").answer().node?.value == "1")
        Files.remove(place("trigger"))
        #expect(try eventually { try server.client().put("/room", "1").isSuccess })
        try server.stop()
    }

    @Test("A disk that can only be read any more ends the member, with the reason")
    func readOnly() throws {
        let place = try Workplace()
        guard let environment = try environment("log.db-wal", EROFS, in: place) else { return }
        let server = try Server(place("data"), environment: environment)
        #expect(try server.client().put("/before", "1").isSuccess)
        try Files.write([], to: place("trigger"))
        _ = try? server.client(timeoutSeconds: 3).put("/lost", "1")
        #expect(server.child.wait(seconds: 20) == .exit(1))
        #expect(server.messages.last?.contains("/member/log.db") == true, "\(server.log.suffix(300))")
        Files.remove(place("trigger"))
        try server.restart()
        #expect(try server.client().get("/before").answer().node?.value == "1")
        try server.stop()
    }

    @Test("A start for which the lock finds no room does not take the end before for one in order")
    func lock() throws {
        let place = try Workplace()
        guard let environment = try environment("lock", ENOSPC, in: place) else { return }
        let server = try Server(place("data"), environment: environment)
        #expect(try server.client().put("/before", "1").isSuccess)
        server.kill()
        try Files.write([], to: place("trigger"))
        try server.respawn(environment: environment)
        #expect(server.child.wait(seconds: 20) == .exit(1))
        #expect(server.messages.last?.contains("no space left") == true, "\(server.log.suffix(300))")
        #expect(try !Files.read(place("data/member/lock")).isEmpty)
        Files.remove(place("trigger"))
        try server.restart()
        #expect(try server.client().get("/before").answer().node?.value == "1")
        try server.stop()
    }
}
