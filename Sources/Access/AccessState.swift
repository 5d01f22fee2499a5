/// Who may do what: users, roles, and whether it counts. Replicated, so every member decides alike.
package struct AccessState: Equatable, Sendable {
    /// While false everybody may do everything.
    package private(set) var isEnabled: Bool
    /// Ordered by name.
    package private(set) var users: [User]
    /// Ordered by name; the role root is built in and not among them.
    package private(set) var roles: [Role]

    package init() {
        isEnabled = false
        users = []
        roles = []
    }

    /// As it was stored.
    package init(isEnabled: Bool, users: [User], roles: [Role]) {
        self.isEnabled = isEnabled
        self.users = users.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        self.roles = roles.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// Nothing was ever set up, or all of it was taken back.
    package var isUntouched: Bool { !isEnabled && users.isEmpty && roles.isEmpty }

    // MARK: Reading

    /// With the role that root has by its name.
    package func user(_ name: AccessName) -> User? {
        users.place(of: name, by: \.name).found.map { AccessState.withRootRole(users[$0]) }
    }

    package func role(_ name: AccessName) -> Role? {
        if name == BuiltIn.root { return Role(name: name, permissions: .everything) }
        return roles.place(of: name, by: \.name).found.map { roles[$0] }
    }

    /// Ordered by name, with the one that is built in.
    package var allRoles: [Role] {
        (roles + [Role(name: BuiltIn.root, permissions: .everything)]).sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    package var allUsers: [User] { users.map(AccessState.withRootRole) }

    private static func withRootRole(_ user: User) -> User {
        guard user.name == BuiltIn.root, !(user.roles ?? []).contains(BuiltIn.root) else { return user }
        return User(name: user.name, password: user.password, roles: (user.roles ?? []) + [BuiltIn.root])
    }

    // MARK: Deciding

    /// May this user touch this key? The one rule for every request, every entry and every event.
    ///
    /// - Parameters:
    ///   - user: nil: the request named none, and has the rights of guests.
    ///   - key: as it was sent, a slash at its end included.
    package func allows(_ user: AccessName?, _ act: AccessAct, _ key: AccessName, recursive: Bool) -> Bool {
        guard isEnabled else { return true }
        guard let user else {
            // etcd looks at guests without regard to `recursive`.
            return role(BuiltIn.guest)?.permissions.allows(act, key, recursive: false) ?? false
        }
        return (self.user(user)?.roles ?? []).contains { name in
            name == BuiltIn.root || role(name)?.permissions.allows(act, key, recursive: recursive) ?? false
        }
    }

    /// May this user change users, roles, members, and read what shows them?
    package func isRoot(_ user: AccessName?) -> Bool {
        guard isEnabled else { return true }
        guard let user else { return false }
        return self.user(user)?.roles?.contains(BuiltIn.root) ?? false
    }

    // MARK: Changing

    /// Either everything that the command says happens, or nothing.
    package mutating func apply(_ command: AccessCommand) -> Result<AccessOutcome, AccessRefusal> {
        do throws(AccessRefusal) {
            switch command {
            case .createUser(let user): return .success(.user(try create(user), isNew: false))
            case .setUser(let name, let password):
                guard self.user(name) == nil else { return .success(.user(try update(name, password, [], []), isNew: false)) }
                return .success(.user(try create(User(name: name, password: password ?? [])), isNew: true))
            case .updateUser(let name, let password, let grant, let revoke):
                return .success(.user(try update(name, password, grant, revoke), isNew: false))
            case .deleteUser(let name): try deleteUser(name)
            case .createRole(let role): return .success(.role(try create(role), isNew: true))
            case .updateRole(let name, let grant, let revoke):
                return .success(.role(try update(name, grant, revoke), isNew: false))
            case .deleteRole(let name): try deleteRole(name)
            case .enable: try enable()
            case .disable:
                guard isEnabled else { throw .alreadyDisabled }
                isEnabled = false
            }
            return .success(.done)
        } catch {
            return .failure(error)
        }
    }

    private mutating func create(_ user: User) throws(AccessRefusal) -> User {
        if user.password.isEmpty { throw .emptyPassword(user.name) }
        guard self.user(user.name) == nil else { throw .userExists(user.name) }
        guard users.count < AccessLimits.usersMax, (user.roles ?? []).count <= AccessLimits.grantsMax else { throw .tooMany }
        users.insert(user, at: users.place(of: user.name, by: \.name).next)
        return AccessState.withRootRole(user)
    }

    private mutating func update(
        _ name: AccessName, _ password: AccessName?, _ grant: [AccessName], _ revoke: [AccessName]
    ) throws(AccessRefusal) -> User {
        guard let position = users.place(of: name, by: \.name).found else { throw .noSuchUser(name) }
        let old = AccessState.withRootRole(users[position])
        var roles = old.roles ?? []
        for role in grant {
            if roles.contains(role) { throw .roleGranted(role, user: name) }
            roles.append(role)
        }
        for role in revoke {
            guard roles.contains(role) else { throw .roleNotGranted(role, user: name) }
            roles.removeAll { $0 == role }
        }
        guard roles.count <= AccessLimits.grantsMax else { throw .tooMany }
        let new = User(name: name, password: password ?? old.password, roles: roles.sortedUnique())
        if new == old { throw .userNotChanged }
        users[position] = new
        return AccessState.withRootRole(new)
    }

    private mutating func deleteUser(_ name: AccessName) throws(AccessRefusal) {
        if isEnabled, name == BuiltIn.root { throw .rootUserIsNeeded }
        guard let position = users.place(of: name, by: \.name).found else { throw .userNotThere(name) }
        users.remove(at: position)
    }

    private mutating func create(_ role: Role) throws(AccessRefusal) -> Role {
        if role.name == BuiltIn.root { throw .roleIsBuiltIn(role.name) }
        guard self.role(role.name) == nil else { throw .roleExists(role.name) }
        guard roles.count < AccessLimits.rolesMax, isBounded(role.permissions) else { throw .tooMany }
        roles.insert(role, at: roles.place(of: role.name, by: \.name).next)
        return role
    }

    private mutating func update(_ name: AccessName, _ grant: Permissions?, _ revoke: Permissions?) throws(AccessRefusal) -> Role {
        if name == BuiltIn.root { throw .roleIsBuiltIn(name) }
        guard let position = roles.place(of: name, by: \.name).found else { throw .noSuchRole(name) }
        var permissions = roles[position].permissions
        if let grant { permissions = try permissions.granting(grant) }
        if let revoke { permissions = permissions.revoking(revoke) }
        guard isBounded(permissions) else { throw .tooMany }
        if permissions == roles[position].permissions { throw .roleNotChanged }
        roles[position].permissions = permissions
        return roles[position]
    }

    private mutating func deleteRole(_ name: AccessName) throws(AccessRefusal) {
        if name == BuiltIn.root { throw .roleIsBuiltIn(name) }
        guard let position = roles.place(of: name, by: \.name).found else { throw .roleNotThere(name) }
        roles.remove(at: position)
    }

    /// Guests keep all their rights until somebody takes them, so enabling locks nobody out.
    private mutating func enable() throws(AccessRefusal) {
        if isEnabled { throw .alreadyEnabled }
        guard user(BuiltIn.root) != nil else { throw .noRootUser }
        if role(BuiltIn.guest) == nil { _ = try create(Role(name: BuiltIn.guest, permissions: .everything)) }
        isEnabled = true
    }

    private func isBounded(_ permissions: Permissions) -> Bool {
        [permissions.read, permissions.write].allSatisfy { ($0 ?? []).count <= AccessLimits.grantsMax }
    }
}
