import Testing

@testable import ControlClient

@Suite("ctl.md A2: output formats")
struct RenderingTests {
    private func node(_ change: (inout KeyNode) -> Void) -> KeyNode {
        var node = KeyNode()
        change(&node)
        return node
    }

    private var file: KeyNode {
        node {
            $0.key = "/a/b/c"
            $0.value = "v3"
            $0.createdIndex = 8
            $0.modifiedIndex = 8
        }
    }

    @Test("The simple format is the value, or the previous value of a deletion")
    func simple() {
        let set = KeyResponse(action: "set", node: file, index: 8)
        #expect(ResponseFormat.text(of: set, format: "simple") == "v3\n")
        let delete = KeyResponse(action: "delete", node: node { $0.key = "/k" }, previous: file, index: 9)
        #expect(ResponseFormat.text(of: delete, format: "simple") == "PrevNode.Value: v3\n")
        let conditional = KeyResponse(action: "compareAndDelete", node: KeyNode(), previous: file, index: 9)
        #expect(ResponseFormat.text(of: conditional, format: "simple") == "\n")
        #expect(ResponseFormat.text(of: set, format: "foo") == nil)
    }

    @Test("The extended format shows the previous value only when there is one, and no value after a deletion")
    func extended() {
        let previous = node { $0.value = "v2" }
        let set = KeyResponse(action: "set", node: file, previous: previous, index: 8)
        #expect(
            ResponseFormat.text(of: set, format: "extended") == """
                Key: /a/b/c
                Created-Index: 8
                Modified-Index: 8
                PrevNode.Value: v2
                TTL: 0
                Index: 8

                v3

                """)
        let delete = KeyResponse(action: "delete", node: file, index: 9)
        #expect(ResponseFormat.text(of: delete, format: "extended")?.hasSuffix("TTL: 0\nIndex: 9\n") == true)
    }

    @Test("The json format is the client's own structure in a fixed order")
    func json() {
        let timed = node {
            $0.key = "/t"
            $0.value = "tval"
            $0.createdIndex = 10
            $0.modifiedIndex = 10
            $0.expiration = "2026-11-21T07:50:02.944210863Z"
            $0.ttl = 100
        }
        #expect(
            ResponseFormat.text(of: KeyResponse(action: "get", node: timed, index: 1), format: "json")
                == #"{"action":"get","node":{"key":"/t","value":"tval","nodes":null,"#
                + #""createdIndex":10,"modifiedIndex":10,"#
                + #""expiration":"2026-11-21T07:50:02.944210863Z","ttl":100},"prevNode":null}"# + "\n")
        let directory = node {
            $0.key = "/a"
            $0.isDirectory = true
            $0.nodes = [file]
        }
        #expect(
            ResponseFormat.text(of: KeyResponse(action: "get", node: directory, index: 1), format: "json")
                == #"{"action":"get","node":{"key":"/a","dir":true,"value":"","nodes":[{"key":"/a/b/c","value":"v3","#
                + #""nodes":null,"createdIndex":8,"modifiedIndex":8}],"createdIndex":0,"modifiedIndex":0},"#
                + #""prevNode":null}"# + "\n")
    }

    @Test("JSON strings are escaped as Go does")
    func jsonEscapes() {
        #expect(GoText.json("<a>&\"\\\n\t\u{1}\u{2028}é😀") == #""\u003ca\u003e\u0026\"\\\n\t\u0001\u2028é😀""#)
    }

    @Test("Paths are cleaned, and cannot leave the root")
    func cleansPaths() {
        #expect(GoText.cleaned(path: "/a//b/../c") == "/a/c")
        #expect(GoText.cleaned(path: "a") == "/a")
        #expect(GoText.cleaned(path: "/a/") == "/a/")
        #expect(GoText.cleaned(path: "../../members") == "/members")
        #expect(GoText.cleaned(path: "/") == "/")
        #expect(GoText.cleaned(path: "/..") == "/")
    }

    @Test("Targets and forms are escaped as Go does")
    func escapes() {
        #expect(GoText.pathEscaped("/a b?x%/é*$&+,:;=@~") == "/a%20b%3Fx%25/%C3%A9%2A$&+,:;=@~")
        #expect(GoText.queryEscaped("a b&c+d%\n~*".utf8) == "a+b%26c%2Bd%25%0A~%2A")
        #expect(GoText.queryEscaped([0xff, 0x00]) == "%FF%00")
        let request = ClusterRequest.get("k", sorted: true, quorum: false)
        #expect(request.target(below: "/") == "/v2/keys/k?quorum=false&recursive=false&sorted=true")
        #expect(ClusterRequest.members.target(below: "/base") == "/base/v2/members")
    }
}
