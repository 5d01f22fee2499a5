/// A change of users, roles, or of whether they count; as an entry of the log carries it. Passwords are hashed before they come here.
package enum AccessCommand: Equatable, Sendable {
    /// A new user.
    case createUser(User)
    /// As `createUser` when there is no such user, else a change of the password alone.
    case setUser(name: AccessName, password: AccessName?)
    /// `password` nil: it stays.
    case updateUser(name: AccessName, password: AccessName?, grant: [AccessName], revoke: [AccessName])
    case deleteUser(AccessName)
    case createRole(Role)
    case updateRole(name: AccessName, grant: Permissions?, revoke: Permissions?)
    case deleteRole(AccessName)
    case enable
    case disable
}

package struct User: Equatable, Sendable {
    package var name: AccessName
    /// The password's hash in a form that says how it was made; never the password.
    package var password: AccessName
    /// Nil until the user was changed for the first time, when none was given; clients are shown the difference.
    package var roles: [AccessName]?

    package init(name: AccessName, password: AccessName, roles: [AccessName]? = nil) {
        self.name = name
        self.password = password
        self.roles = roles
    }
}

package struct Role: Equatable, Sendable {
    package var name: AccessName
    package var permissions: Permissions

    package init(name: AccessName, permissions: Permissions = Permissions()) {
        self.name = name
        self.permissions = permissions
    }
}

/// What a change has come to, for its client.
package enum AccessOutcome: Equatable, Sendable {
    case done
    /// `isNew`: etcd answers 201.
    case user(User, isNew: Bool)
    case role(Role, isNew: Bool)
}

/// Why a change does nothing; the same on every member (v2-keys.md §16).
package enum AccessRefusal: Error, Equatable, Sendable {
    case emptyPassword(AccessName)
    case userExists(AccessName)
    case noSuchUser(AccessName)
    case userNotThere(AccessName)
    case userNotChanged
    case roleGranted(AccessName, user: AccessName)
    case roleNotGranted(AccessName, user: AccessName)
    case rootUserIsNeeded
    case roleIsBuiltIn(AccessName)
    case roleExists(AccessName)
    case noSuchRole(AccessName)
    case roleNotThere(AccessName)
    case roleNotChanged
    case permissionExists(AccessName, isRead: Bool)
    case noRootUser
    case alreadyEnabled
    case alreadyDisabled
    /// More users, roles or rights than `AccessLimits` allows.
    case tooMany
}

/// Everything here is held in memory by every member and written anew with each change.
package enum AccessLimits {
    package static let usersMax = 10_000
    package static let rolesMax = 10_000
    /// Of a user, and patterns of a role in each direction.
    package static let grantsMax = 1_000
    /// Bytes of a name or a pattern.
    package static let nameBytesMax = 4_096
}
