import Testing

@testable import ReplicaHost

@Suite("cluster.md §10: the version of a cluster")
struct ClusterVersionTests {
    @Test("What is a version", arguments: [("3.4.23", "3.4.0"), ("3.4", "3.4.0"), ("10.0.1", "10.0.0")])
    func versions(text: String, shown: String) { #expect(ClusterVersion(text)?.text == shown) }

    @Test("What is none", arguments: ["", "3", "3.4.5.6", "3.x", "-3.4", "3..4", "not_decided", "3.4.", "99999999999999999999.1"])
    func others(text: String) { #expect(ClusterVersion(text) == nil) }

    @Test("The oldest member decides; unknown members block raising; nothing goes down")
    func decisions() {
        func decide(_ members: [String?], _ present: String) -> String? {
            ClusterVersion.decide(members: members, present: present)?.text
        }
        #expect(decide(["3.4.23"], "") == "3.4.0")
        #expect(decide(["3.4.23", "3.3.9", "3.5.0"], "") == "3.3.0")
        #expect(decide(["3.4.23", nil], "") == "3.0.0")
        #expect(decide(["3.4.23", "nonsense"], "") == "3.0.0")
        #expect(decide(["3.4.23", nil], "3.0.0") == nil)
        #expect(decide(["3.4.23", "3.4.1"], "3.0.0") == "3.4.0")
        #expect(decide(["3.4.23", "3.4.1"], "3.4.0") == nil)
        // A rolling upgrade: the last one makes the difference.
        #expect(decide(["3.5.0", "3.4.23", "3.5.0"], "3.4.0") == nil)
        #expect(decide(["3.5.0", "3.5.0", "3.5.0"], "3.4.0") == "3.5.0")
        #expect(decide(["3.4.23", "3.4.23"], "3.5.0") == nil)
    }

    @Test("A server that is older than the cluster does not run")
    func downgrade() {
        var configuration = ReplicaConfiguration(name: "a", peerURLs: [], clientURLs: [], member: .none, cluster: .none)
        configuration.serverVersion = "3.4.23"
        #expect(configuration.refusal(ofClusterVersion: "") == nil)
        #expect(configuration.refusal(ofClusterVersion: "3.4.0") == nil)
        #expect(
            configuration.refusal(ofClusterVersion: "3.5.0")
                == "cluster cannot be downgraded (current version: 3.4.23 is lower than determined cluster version: 3.5).")
    }
}
