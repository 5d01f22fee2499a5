import Access
import Testing

private func name(_ text: String) -> AccessName { AccessName(text.utf8) }
private func names(_ texts: [String]) -> [AccessName] { texts.map(name) }

extension AccessState {
    fileprivate mutating func must(_ command: AccessCommand) throws { _ = try apply(command).get() }

    fileprivate mutating func refusal(_ command: AccessCommand) -> AccessRefusal? {
        if case .failure(let refusal) = apply(command) { return refusal }
        return nil
    }
}

/// With root, the user alice who has the role dev, and enabled.
private func secured(read: [String] = [], write: [String] = []) throws -> AccessState {
    var state = AccessState()
    try state.must(.createUser(User(name: name("root"), password: name("h"))))
    try state.must(.createRole(Role(name: name("dev"), permissions: Permissions(read: names(read), write: names(write)))))
    try state.must(.createUser(User(name: name("alice"), password: name("h"), roles: [name("dev")])))
    try state.must(.enable)
    return state
}

@Suite("Users and roles (v2-keys.md §16)")
struct AccessStateTests {
    @Test("Rights: prefix patterns, exact ones, and what counts when everything below is meant")
    func patterns() throws {
        let state = try secured(read: ["/pub/*", "/one"], write: ["/w/*"])
        let cases: [(key: String, act: AccessAct, recursive: Bool, allowed: Bool)] = [
            ("/pub/a", .read, false, true), ("/pub/", .read, false, true), ("/pub", .read, false, false),
            ("/pub/", .read, true, true), ("/pub", .read, true, false), ("/public", .read, false, false),
            ("/one", .read, false, true), ("/one", .read, true, false), ("/one/", .read, false, false), ("/one/a", .read, false, false),
            ("/pub/a", .write, false, false), ("/w/a", .write, false, true), ("/w/a", .read, false, false), ("/w/", .write, true, true),
            ("", .read, false, false), ("/", .read, false, false), ("/priv", .read, false, false),
        ]
        for one in cases {
            #expect(state.allows(name("alice"), one.act, name(one.key), recursive: one.recursive) == one.allowed, "\(one)")
            #expect(state.allows(name("root"), one.act, name(one.key), recursive: one.recursive), "\(one)")
            #expect(!state.allows(name("nobody"), one.act, name(one.key), recursive: one.recursive), "\(one)")
        }
    }

    @Test("Guests have the rights of their role, whatever `recursive` says; none when there is no such role")
    func guests() throws {
        var state = try secured()
        #expect(state.allows(nil, .write, name("/a"), recursive: true))
        #expect(!state.allows(nil, .read, name(""), recursive: false), "the empty key is not in /*")
        try state.must(.updateRole(name: name("guest"), grant: nil, revoke: .everything))
        #expect(!state.allows(nil, .read, name("/a"), recursive: false))
        try state.must(.updateRole(name: name("guest"), grant: Permissions(read: names(["/only"])), revoke: nil))
        #expect(state.allows(nil, .read, name("/only"), recursive: true))
        try state.must(.deleteRole(name("guest")))
        #expect(!state.allows(nil, .read, name("/only"), recursive: false))
    }

    @Test("Everything is open while nothing is enabled")
    func disabled() throws {
        var state = try secured()
        #expect(!state.isRoot(nil) && !state.isRoot(name("alice")) && state.isRoot(name("root")))
        try state.must(.disable)
        #expect(state.isRoot(nil) && state.allows(nil, .write, name("/a"), recursive: true))
        #expect(state.refusal(.disable) == .alreadyDisabled)
    }

    @Test("Enabling needs root, gives guests everything they had, and comes once")
    func enabling() throws {
        var state = AccessState()
        #expect(state.refusal(.enable) == .noRootUser)
        try state.must(.createUser(User(name: name("root"), password: name("h"))))
        try state.must(.enable)
        #expect(state.role(name("guest"))?.permissions == .everything)
        #expect(state.refusal(.enable) == .alreadyEnabled)
        #expect(state.refusal(.deleteUser(name("root"))) == .rootUserIsNeeded)
        try state.must(.disable)
        try state.must(.deleteUser(name("root")))
    }

    @Test("A guest role that was narrowed before stays narrow")
    func guestIsKept() throws {
        var state = AccessState()
        try state.must(.createUser(User(name: name("root"), password: name("h"))))
        try state.must(.createRole(Role(name: name("guest"))))
        try state.must(.enable)
        #expect(!state.allows(nil, .read, name("/a"), recursive: false))
    }

    @Test("Users: made, changed, given and taken roles, removed")
    func users() throws {
        var state = AccessState()
        #expect(state.refusal(.setUser(name: name("u"), password: nil)) == .emptyPassword(name("u")))
        #expect(state.apply(.setUser(name: name("u"), password: name("h"))) == .success(.user(User(name: name("u"), password: name("h")), isNew: true)))
        #expect(state.user(name("u"))?.roles == nil)
        try state.must(.setUser(name: name("u"), password: name("h2")))
        #expect(state.user(name("u")) == User(name: name("u"), password: name("h2"), roles: []))
        #expect(state.refusal(.setUser(name: name("u"), password: nil)) == .userNotChanged)
        func update(grant: [String] = [], revoke: [String] = []) -> AccessCommand {
            .updateUser(name: name("u"), password: nil, grant: names(grant), revoke: names(revoke))
        }
        try state.must(update(grant: ["z", "a"]))
        #expect(state.user(name("u"))?.roles == names(["a", "z"]))
        #expect(state.refusal(update(grant: ["a"])) == .roleGranted(name("a"), user: name("u")))
        #expect(state.refusal(update(revoke: ["b"])) == .roleNotGranted(name("b"), user: name("u")))
        try state.must(update(grant: ["b"], revoke: ["a", "z", "b"]))
        #expect(state.user(name("u"))?.roles == [])
        #expect(state.refusal(.createUser(User(name: name("u"), password: name("h"), roles: []))) == .userExists(name("u")))
        try state.must(.deleteUser(name("u")))
        #expect(state.refusal(.deleteUser(name("u"))) == .userNotThere(name("u")))
        #expect(state.refusal(update(grant: ["a"])) == .noSuchUser(name("u")))
    }

    @Test("What is refused changes nothing, halves of it neither")
    func allOrNothing() throws {
        var state = try secured(read: ["/a"])
        let before = state
        let both = Permissions(read: names(["/new"]), write: names(["/w", "/w"]))
        #expect(state.refusal(.updateRole(name: name("dev"), grant: both, revoke: nil)) == .permissionExists(name("/w"), isRead: false))
        #expect(state.refusal(.updateUser(name: name("alice"), password: name("x"), grant: names(["r"]), revoke: names(["none"]))) != nil)
        #expect(state == before)
    }

    @Test("Roles: lists as given, sorted after a change, and null is not the same as empty")
    func roles() throws {
        var state = AccessState()
        try state.must(.createRole(Role(name: name("r"), permissions: Permissions(read: names(["/z", "/a"])))))
        #expect(state.role(name("r"))?.permissions == Permissions(read: names(["/z", "/a"])))
        try state.must(.updateRole(name: name("r"), grant: Permissions(read: names(["/b"])), revoke: nil))
        #expect(state.role(name("r"))?.permissions == Permissions(read: names(["/a", "/b", "/z"]), write: []))
        let none = AccessCommand.updateRole(name: name("r"), grant: nil, revoke: Permissions(read: names(["/none"])))
        #expect(state.refusal(none) == .roleNotChanged)
        for command in [AccessCommand.deleteRole(BuiltIn.root), .createRole(Role(name: BuiltIn.root))] {
            #expect(state.refusal(command) == .roleIsBuiltIn(BuiltIn.root))
        }
        #expect(state.allRoles.map(\.name) == names(["r", "root"]))
    }

    @Test("Found by name however many there are")
    func many() throws {
        var state = AccessState()
        for number in (0..<300).reversed() { try state.must(.createUser(User(name: name("u\(number)"), password: name("h")))) }
        for number in 0..<300 { #expect(state.user(name("u\(number)")) != nil) }
        #expect(state.user(name("u300")) == nil && state.user(name("")) == nil)
        #expect(state.users.map(\.name) == state.users.map(\.name).sorted { $0.lexicographicallyPrecedes($1) })
    }
}

@Suite("Who asked, as a log entry tells it")
struct RequesterTests {
    @Test(
        "A name may hold an at sign, and so is the address of a unix socket",
        arguments: [(nil, "127.0.0.1:1"), ("alice", "127.0.0.1:1"), ("a@b", "[::1]:1"), (nil, "@"), ("bob", "@"), ("x@", "@"), (nil, "")]
            as [(String?, String)])
    func roundTrip(user: String?, address: String) {
        let requester = Requester(user: user.map(name), address: name(address))
        #expect(Requester(requester.client) == requester)
    }
}
