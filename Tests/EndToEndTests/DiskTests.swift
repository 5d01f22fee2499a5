import Foundation
import Testing

/// What happens when the disk is full, and when it fails.
@Suite("Disk errors", .blocking)
struct DiskTests {
    @Test("A full disk refuses writes, reads go on, and writes work again when there is room")
    func fullDisk() throws {
        let place = try Workplace()
        // The WAL of the log is written to its full size at the start.
        guard let disk = try SmallDisk(place("disk"), megabytes: 44) else {
            print("not tested: a full disk (mounting a small file system is not allowed here)")
            return
        }
        let ledger = Ledger()
        let server = try Server(disk.path + "/data")
        let pid = server.child.pid
        #expect(try server.client().put("/before", "1").isSuccess)
        for round in 1...2 {
            // Large values use up what the files have grown to.
            let load = Load(
                on: server.port, ledger,
                .init(writers: 4, keysOfWriter: 400, valueBytesMax: 30_000, toleratesRefusals: true, round: round))
            #expect(eventually { ledger.acknowledged > 50 * round })
            try disk.fill("filler")
            #expect(eventually(within: 30) { !ledger.refusals.isEmpty }, "no write was refused")
            #expect(try eventually { try server.client().put("/full", "1").status == 500 })
            let refusal = try server.client().put("/full", "1").answer()
            #expect(refusal.errorCode == 300)
            #expect(refusal.cause == "etcdserver: no space left on the disk of this member; it refuses writes until there is some")
            #expect(try server.client().get("/before").answer().node?.value == "1")
            #expect(try server.client().get("/before", "quorum=true").answer().node?.value == "1")
            #expect(try server.client().get("/load", "recursive=true").isSuccess)
            #expect(try server.client().request("GET", "/version").status == 200)
            let health = try server.client().request("GET", "/health")
            #expect(health.status == 503 && health.text == "{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}\n", "\(health.text)")
            #expect(try server.client().request("GET", "/health?exclude=NOSPACE").status == 200)
            try load.stop()

            Files.remove(disk.path + "/filler")
            #expect(try eventually { try server.client().put("/room", "\(round)").isSuccess }, "writes do not come back")
            #expect(try eventually { try server.client().request("GET", "/health").status == 200 })
            #expect(try ledger.complaints(about: server) == [])
        }
        #expect(ledger.refusals.keys.allSatisfy { $0.contains("no space left on the disk of this member") }, "\(ledger.refusals)")
        #expect(server.child.ended == nil && server.child.pid == pid)
        #expect(server.log.contains("no space left on the device: writes are refused"))

        // A stop does not wait for room.
        let load = Load(
            on: server.port, ledger,
            .init(writers: 4, keysOfWriter: 400, valueBytesMax: 30_000, toleratesRefusals: true, round: 3))
        #expect(eventually { ledger.acknowledged > 150 })
        try disk.fill("filler")
        #expect(try eventually(within: 30) { try server.client().put("/full", "1").status == 500 })
        try load.stop()
        try server.stop()
        Files.remove(disk.path + "/filler")
        try server.respawn()
        try server.waitUntilReady()
        #expect(try ledger.complaints(about: server) == [])

        // A process that dies on a full disk starts again on a full disk, or says why not, and loses nothing.
        try disk.fill("filler")
        server.kill()
        try server.respawn()
        if (try? server.waitUntilReady()) != nil {
            #expect(try server.client().get("/before").answer().node?.value == "1")
            server.kill()
        } else {
            #expect(server.child.ended == .exit(1))
            #expect(server.messages.last?.contains("space") == true, "\(server.log.suffix(300))")
        }
        Files.remove(disk.path + "/filler")
        try server.restart()
        #expect(try ledger.complaints(about: server) == [])
        try server.stop()
        let check = try Program.etcliteutl("check", server.directory)
        #expect(check.isClean, "\(check.text)")
    }

    /// Makes one fsync of one file fail once, 300 ms after it was asked for: by then every honest acknowledgement has arrived.
    /// A program that tries again would get away with it.
    private static let shim = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>

        static int fails(int fd) {
            char link[64], path[4096];
            const char *name = getenv("TEST_EIO_FILE"), *trigger = getenv("TEST_EIO_TRIGGER");
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t count = readlink(link, path, sizeof path - 1);
            if (!name || !trigger || count < 0) return 0;
            path[count] = 0;
            size_t length = strlen(name);
            if ((size_t)count < length || strcmp(path + count - length, name) != 0) return 0;
            /* Whoever takes the trigger away fails; nobody else will. */
            if (unlink(trigger) != 0) return 0;
            usleep(300000);
            const char *code = getenv("TEST_EIO_ERRNO");
            errno = code ? atoi(code) : EIO;
            return 1;
        }

        int fsync(int fd) {
            static int (*real)(int);
            if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
            return fails(fd) ? -1 : real(fd);
        }

        int fdatasync(int fd) {
            static int (*real)(int);
            if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
            return fails(fd) ? -1 : real(fd);
        }
        """

    @Test(
        "A failed fsync is never tried again: nothing more is acknowledged, and the process ends with the reason",
        arguments: [
            ("/log.db-wal", EIO), ("/log.db", EIO), ("/tree.db", EIO), ("/tree.db-wal", EIO), ("/log.db-wal", ENOSPC), ("/log.db", ENOSPC),
            ("/tree.db", EDQUOT),
        ])
    func failedSync(file: String, code: Int32) throws {
        guard Program.isInstalled("clang") else {
            print("not tested: a failing fsync (there is no clang here)")
            return
        }
        let place = try Workplace()
        try Files.write(Array(Self.shim.utf8), to: place("shim.c"))
        let compiled = try Run("clang", ["-shared", "-fPIC", "-o", place("shim.so"), place("shim.c"), "-ldl"])
        try #require(compiled.isClean, "\(compiled.text)")

        let (directory, ledger) = try Sample.long().copy(to: place("data"))
        // A small count brings checkpoints of both files.
        let server = try Server(
            directory, flags: ["--snapshot-count", "100"],
            environment: [
                "LD_PRELOAD": place("shim.so"), "TEST_EIO_FILE": "/member" + file, "TEST_EIO_TRIGGER": place("trigger"),
                "TEST_EIO_ERRNO": "\(code)",
            ])
        let load = Load(on: server.port, ledger, .init(writers: 8, valueBytesMax: 4000, round: 500))
        let before = ledger.acknowledged
        #expect(eventually { ledger.acknowledged > before + 100 })
        try Files.write([], to: place("trigger"))
        #expect(eventually(within: 30) { !Files.exists(place("trigger")) }, "nothing synced \(file)")
        let failed = steadySeconds
        let ending = server.child.wait(seconds: 20)
        try load.stop()
        #expect(ending == .exit(1))
        let reason = server.messages.last ?? ""
        #expect(reason.contains("/member" + file.prefix { $0 != "-" }) && reason.contains("the disk has failed to store"), "\(reason)")
        if file == "/log.db-wal" {
            #expect(ledger.lastAcknowledged < failed + 0.25, "a write was acknowledged after the failure")
        }
        try server.restart()
        let complaints = try ledger.complaints(about: server)
        #expect(complaints.isEmpty, "\(complaints.prefix(3))")
        server.kill()
        let check = try Program.etcliteutl("check", directory)
        #expect(check.isClean, "\(check.text)")
    }
}
