import Foundation
import Testing

/// TTLs belong to the cluster, not to one member's clock.
@Suite("Clusters: time", .blocking)
struct ClusterTimeTests {
    @Test("TTLs fire neither early nor anew when the leader changes")
    func leaderChanges() throws {
        let place = try Workplace()
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        try cluster.start()
        let leader = try cluster.leader()
        let other = try #require(cluster.followers(of: leader).first)
        let asked = steadySeconds
        #expect(try other.client().put("/short", "1", ["ttl": "9"]).isSuccess)
        #expect(try other.client().put("/long", "1", ["ttl": "600"]).isSuccess)
        let told = steadySeconds
        usleep(5_500_000)
        leader.kill()
        #expect(try other.client().put("/after", "1").isSuccess)
        #expect(try other.client().get("/short").status == 200 || steadySeconds > asked + 9, "it fired early")
        var seen = steadySeconds
        while try other.client().get("/short").status == 200, steadySeconds < told + 30 {
            seen = steadySeconds
            usleep(20_000)
        }
        #expect(steadySeconds > asked + 9, "it fired early")
        // Anew it would be 14.5 s at least.
        #expect(seen < told + 13.5, "it fired \(seen - told) s after it was set")
        let left = try other.client().get("/long").answer().node?.ttl ?? 0
        #expect((500...595).contains(left), "\(left)")
        try leader.start()
        #expect(try eventually { try leader.client().get("/short").status == 404 })
        #expect(try cluster.complaints() == [])
    }

    /// What `clock_gettime(CLOCK_REALTIME)` tells is as many seconds ahead as stand in a file.
    private static let shim = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <time.h>

        int clock_gettime(clockid_t clock, struct timespec *time) {
            static int (*real)(clockid_t, struct timespec *);
            if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
            int result = real(clock, time);
            const char *path = getenv("TEST_CLOCK");
            FILE *file = clock == CLOCK_REALTIME && path ? fopen(path, "r") : NULL;
            if (file) {
                long seconds = 0;
                if (fscanf(file, "%ld", &seconds) == 1) time->tv_sec += seconds;
                fclose(file);
            }
            return result;
        }
        """

    @Test("The wall clock of one member is an hour off, then stepped: no TTL fires early or late", arguments: [3600, -3600])
    func steppedClock(seconds: Int) throws {
        guard Program.isInstalled("clang") else {
            print("not tested: a stepped clock (there is no clang here)")
            return
        }
        let place = try Workplace()
        try Files.write(Array(Self.shim.utf8), to: place("shim.c"))
        let compiled = try Run("clang", ["-shared", "-fPIC", "-o", place("shim.so"), place("shim.c"), "-ldl"])
        try #require(compiled.isClean, "\(compiled.text)")
        let cluster = try LocalCluster(["a", "b", "c"], in: place)
        let wrong = try cluster["a"]
        wrong.environment = ["LD_PRELOAD": place("shim.so"), "TEST_CLOCK": place("clock")]
        try Files.write(Array("0".utf8), to: place("clock"))
        try cluster.start()
        let others = cluster.followers(of: wrong)
        let asked = steadySeconds
        for member in cluster.members { #expect(try member.client().put("/ttl/\(member.name)", "1", ["ttl": "300"]).isSuccess) }
        func expectAlive(_ what: String) throws {
            for member in cluster.running {
                let nodes = try member.client().get("/ttl", "recursive=true&quorum=true").answer().node?.nodes ?? []
                let left = nodes.compactMap(\.ttl)
                let age = Int(steadySeconds - asked)
                #expect(nodes.count == 3, "\(what): \(nodes)")
                #expect(left.allSatisfy { (300 - age - 5...301).contains($0) }, "\(what), \(age) s later at \(member.name): \(left)")
            }
        }
        try expectAlive("at first")

        // Stepped while it runs: whoever leads.
        try Files.write(Array("\(seconds)".utf8), to: place("clock"))
        #expect(try wrong.client().put("/stepped", "1").isSuccess)
        try expectAlive("stepped")

        // It starts with the wrong time, and then leads.
        wrong.kill()
        #expect(try others[0].client().put("/without", "1").isSuccess)
        try wrong.start()
        try makeLeader(wrong, of: cluster)
        #expect(try wrong.client().put("/led", "1").isSuccess)
        usleep(700_000)
        try expectAlive("led by the wrong one")
        // And back.
        wrong.kill()
        #expect(try others[0].client().put("/back", "1").isSuccess)
        try wrong.start()
        usleep(700_000)
        try expectAlive("led by another one again")
        #expect(try others[0].client().put("/brief", "1", ["ttl": "1"]).isSuccess)
        #expect(try eventually(within: 15) { try wrong.client().get("/brief").status == 404 })
        #expect(try cluster.complaints() == [])
    }

    private func makeLeader(_ wanted: LocalCluster.Member, of cluster: LocalCluster) throws {
        for number in 1...5 {
            let leader = try cluster.leader()
            if leader === wanted { return }
            // A leader hands over to whoever has most of its log: not to one that misses this.
            let third = cluster.members.first { $0 !== leader && $0 !== wanted }
            third?.child?.send(SIGSTOP)
            defer { third?.child?.send(SIGCONT) }
            #expect(try leader.client().put("/handover", "\(number)").isSuccess)
            try leader.stop()
            third?.child?.send(SIGCONT)
            try leader.start()
        }
        throw Failure("\(wanted.name) does not come to lead")
    }
}
