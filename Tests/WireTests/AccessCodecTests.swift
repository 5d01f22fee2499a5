import Access
import Testing
import Wire

@Suite("Access entries")
struct AccessCodecTests {
    private static func name(_ text: String) -> AccessName { AccessName(text.utf8) }

    private static let commands: [AccessCommand] = [
        .createUser(User(name: name("u\n\\x y"), password: name("$scrypt$ln=14$a\\b"), roles: [name("a\nb"), name("")])),
        .createUser(User(name: name("u"), password: name("h"))), .createUser(User(name: name("u"), password: name("h"), roles: [])),
        .setUser(name: name("/a/b"), password: nil), .setUser(name: name("u"), password: name("h")),
        .updateUser(name: name("u"), password: nil, grant: [name("g")], revoke: [name("r"), name("s")]), .deleteUser(name("u")),
        .createRole(Role(name: name("r"))),
        .createRole(Role(name: name("r"), permissions: Permissions(read: [], write: [name("/a b/*"), [0xff]]))),
        .updateRole(name: name("r"), grant: nil, revoke: nil),
        .updateRole(name: name("r"), grant: Permissions(read: [], write: [name("/w")]), revoke: Permissions(read: [name("/r")], write: [])),
        .deleteRole(name("r")), .enable, .disable,
    ]

    @Test("Each command comes back as it was", arguments: commands)
    func roundTrip(command: AccessCommand) {
        let payload = AccessCodec.encode(command, time: 7, client: [1], request: 9)
        #expect(AccessCodec.decode(payload) == command)
        #expect(payload.time == 7 && payload.client == [1] && payload.request == 9 && payload.kind == 3)
    }

    @Test("The form of a released version never changes")
    func golden() {
        let role = Role(name: Self.name("dev"), permissions: Permissions(read: [Self.name("/a/*")], write: []))
        let payload = AccessCodec.encode(.createRole(role), time: 0, client: [], request: 0)
        #expect(payload.operation == 5 && payload.version == 1 && payload.path == Self.name("/roles/dev"))
        #expect(payload.value == Self.name("reads\nread /a/*\nwrites"))
    }

    @Test("What no version wrote is nothing", arguments: ["what", "role \\x", "role a\\"])
    func malformed(value: String) {
        var payload = AccessCodec.encode(.enable, time: 0, client: [], request: 0)
        payload.value = Self.name(value)
        #expect(AccessCodec.decode(payload) == nil)
        payload.value = []
        payload.operation = 99
        #expect(AccessCodec.decode(payload) == nil)
        payload = AccessCodec.encode(.deleteUser(Self.name("u")), time: 0, client: [], request: 0)
        payload.path = Self.name("/roles/u")
        #expect(AccessCodec.decode(payload) == nil)
    }
}
