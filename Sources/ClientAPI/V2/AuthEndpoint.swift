import Access
import HTTPTransport
import NIOCore
import ReplicaHost

/// `/v2/auth`: users, roles, and whether they count (v2-keys.md §16).
final class AuthEndpoint {
    private let replica: any ReplicaDoor
    private let clusterID: ClusterIDField
    private let authenticator: Authenticator

    init(replica: any ReplicaDoor, clusterID: ClusterIDField, authenticator: Authenticator) {
        self.replica = replica
        self.clusterID = clusterID
        self.authenticator = authenticator
    }

    // MARK: Whether they count

    /// - Parameter user: who was authenticated, and has the right to ask this.
    func respondAboutEnabling(_ request: HTTPRequest, by user: AccessName?, on exchange: HTTPExchange) {
        switch request.verb {
        case .put: change(.enable, request, by: user, on: exchange)
        case .delete: change(.disable, request, by: user, on: exchange)
        default: succeed(ByteBuffer(string: "{\"enabled\":\(replica.access.isEnabled)}\n"), on: exchange)
        }
    }

    // MARK: Users

    func listUsers(on exchange: HTTPExchange) {
        let access = replica.access
        var body = ByteBuffer()
        body.writeStaticString("{\"users\":")
        if access.users.isEmpty {
            body.writeStaticString("null")
        } else {
            for (position, user) in access.allUsers.enumerated() {
                body.writeStaticString(position == 0 ? "[" : ",")
                body.writeUser(user, roles: (user.roles ?? []).compactMap { access.role($0) })
            }
            body.writeStaticString("]")
        }
        body.writeStaticString("}\n")
        succeed(body, on: exchange)
    }

    func respond(aboutUser name: AccessName, _ request: HTTPRequest, by user: AccessName?, on exchange: HTTPExchange) {
        switch request.verb {
        case .put: setUser(name, request, by: user, on: exchange)
        case .delete: change(.deleteUser(name), request, by: user, on: exchange)
        default:
            let access = replica.access
            guard let user = access.user(name) else { return refuse(.noSuchUser(name), on: exchange) }
            var roles: [Role] = []
            for role in user.roles ?? [] {
                guard let known = access.role(role) else { return refuse(.noSuchRole(role), on: exchange) }
                roles.append(known)
            }
            var body = ByteBuffer()
            body.writeUser(user, roles: roles)
            body.writeStaticString("\n")
            succeed(body, on: exchange)
        }
    }

    private func setUser(_ name: AccessName, _ request: HTTPRequest, by user: AccessName?, on exchange: HTTPExchange) {
        guard let wanted = AuthJSON.user(request) else { return refuse(.badRequest, "Invalid JSON in request body.", on: exchange) }
        guard wanted.name == name else {
            return refuse(.badRequest, "User JSON name does not match the name in the URL", on: exchange)
        }
        let isUpdate = !wanted.grant.isEmpty || !wanted.revoke.isEmpty
        if isUpdate, !wanted.roles.isEmpty {
            return refuse(.badRequest, "User JSON contains both roles and grant/revoke", on: exchange)
        }
        guard wanted.isBounded else { return refuse(.tooMany, on: exchange) }
        func propose(_ password: [UInt8]?) {
            if isUpdate {
                change(
                    .updateUser(name: name, password: password, grant: wanted.grant, revoke: wanted.revoke), request, by: user, on: exchange)
            } else if wanted.roles.isEmpty {
                change(.setUser(name: name, password: password), request, by: user, on: exchange)
            } else {
                change(.createUser(User(name: name, password: password ?? [], roles: wanted.roles)), request, by: user, on: exchange)
            }
        }
        guard !wanted.password.isEmpty else { return propose(nil) }
        authenticator.hash(wanted.password, from: request.remoteAddress) { [self] hash in
            guard exchange.isOpen else { return }
            guard let hash else { return unavailable(.overloaded, on: exchange) }
            propose(hash)
        }
    }

    // MARK: Roles

    func listRoles(on exchange: HTTPExchange) {
        var body = ByteBuffer()
        for (position, role) in replica.access.allRoles.enumerated() {
            body.writeStaticString(position == 0 ? "{\"roles\":[" : ",")
            body.writeRole(role)
        }
        body.writeStaticString("]}\n")
        succeed(body, on: exchange)
    }

    func respond(aboutRole name: AccessName, _ request: HTTPRequest, by user: AccessName?, on exchange: HTTPExchange) {
        switch request.verb {
        case .put: setRole(name, request, by: user, on: exchange)
        case .delete: change(.deleteRole(name), request, by: user, on: exchange)
        default:
            guard let role = replica.access.role(name) else { return refuse(.noSuchRole(name), on: exchange) }
            var body = ByteBuffer()
            body.writeRole(role)
            body.writeStaticString("\n")
            succeed(body, on: exchange)
        }
    }

    private func setRole(_ name: AccessName, _ request: HTTPRequest, by user: AccessName?, on exchange: HTTPExchange) {
        guard let wanted = AuthJSON.role(request) else { return refuse(.badRequest, "Invalid JSON in request body.", on: exchange) }
        guard wanted.name == name else {
            return refuse(.badRequest, "Role JSON name does not match the name in the URL", on: exchange)
        }
        guard wanted.isBounded else { return refuse(.tooMany, on: exchange) }
        let isUpdate = !(wanted.grant?.isEmpty ?? true) || !(wanted.revoke?.isEmpty ?? true)
        guard isUpdate else {
            return change(.createRole(Role(name: name, permissions: wanted.permissions)), request, by: user, on: exchange)
        }
        if !wanted.permissions.isEmpty {
            return refuse(.badRequest, "Role JSON contains both permissions and grant/revoke", on: exchange)
        }
        change(.updateRole(name: name, grant: wanted.grant, revoke: wanted.revoke), request, by: user, on: exchange)
    }

    // MARK: Answers

    private func change(_ command: AccessCommand, _ request: HTTPRequest, by user: AccessName?, on exchange: HTTPExchange) {
        let client = Requester(user: user, address: request.remoteAddress).client
        replica.changeAccess(command, client: client) { [self] result in
            switch result {
            case .done(.done): exchange.respond(.ok, .json) { [clusterLine] in $0.writeImmutableBuffer(clusterLine) }
            case .done(.user(let user, let isNew)):
                var body = ByteBuffer()
                body.writeStaticString("{\"user\":")
                body.writeJSONString(user.name)
                body.writeStaticString(",\"roles\":")
                body.writeNames(user.roles)
                body.writeStaticString("}\n")
                PlainAnswers.json(exchange, isNew ? .created : .ok, body, clusterID: clusterLine)
            case .done(.role(let role, let isNew)):
                var body = ByteBuffer()
                body.writeRole(role)
                body.writeStaticString("\n")
                PlainAnswers.json(exchange, isNew ? .created : .ok, body, clusterID: clusterLine)
            case .refused(let refusal): refuse(refusal, on: exchange)
            case .denied: PlainAnswers.insufficientCredentials(exchange)
            case .notYet(let reason): refuse(.serviceUnavailable, reason, on: exchange)
            case .unavailable(let reason): unavailable(reason, on: exchange)
            }
        }
    }

    private var clusterLine: ByteBuffer { clusterID.line(replica.status.clusterID) }

    private func succeed(_ body: ByteBuffer, on exchange: HTTPExchange) {
        PlainAnswers.json(exchange, .ok, body, clusterID: clusterLine)
    }

    private func refuse(_ status: HTTPStatus, _ text: String, on exchange: HTTPExchange) {
        PlainAnswers.message(exchange, status, text, clusterID: clusterLine)
    }

    private func unavailable(_ reason: Unavailable, on exchange: HTTPExchange) {
        PlainAnswers.message(exchange, .internalServerError, V2Error(reason).cause, clusterID: clusterLine)
    }

    private func refuse(_ refusal: AccessRefusal, on exchange: HTTPExchange) {
        let (status, text) = AuthEndpoint.answer(to: refusal)
        PlainAnswers.message(exchange, status, Array("auth: ".utf8) + text, clusterID: clusterLine)
    }

    /// The table of v2-keys.md §16.
    private static func answer(to refusal: AccessRefusal) -> (HTTPStatus, [UInt8]) {
        func text(_ before: String, _ name: [UInt8], _ behind: String) -> [UInt8] { Array(before.utf8) + name + Array(behind.utf8) }
        return switch refusal {
        case .emptyPassword(let user): (.badRequest, text("Cannot create user ", user, " with an empty password"))
        case .userExists(let user): (.conflict, text("User ", user, " already exists."))
        case .noSuchUser(let user): (.notFound, text("User ", user, " does not exist."))
        case .userNotThere(let user): (.notFound, text("User ", user, " does not exist"))
        case .userNotChanged: (.badRequest, text("User not updated. Use grant/revoke/password to update the user.", [], ""))
        case .roleGranted(let role, let user): (.conflict, text("Granting duplicate role ", role, " for user ") + user)
        case .roleNotGranted(let role, let user): (.conflict, text("Revoking ungranted role ", role, " for user ") + user)
        case .rootUserIsNeeded: (.forbidden, text("Cannot delete root user while auth is enabled.", [], ""))
        case .roleIsBuiltIn(let role): (.forbidden, text("Cannot modify role ", role, ": is root role."))
        case .roleExists(let role): (.conflict, text("Role ", role, " already exists."))
        case .noSuchRole(let role): (.notFound, text("Role ", role, " does not exist."))
        case .roleNotThere(let role): (.notFound, text("Role ", role, " doesn't exist."))
        case .roleNotChanged: (.badRequest, text("Role not updated. Use grant/revoke to update the role.", [], ""))
        case .permissionExists(let pattern, let isRead):
            (.conflict, text("Granting duplicate \(isRead ? "read" : "write") permission ", pattern, ""))
        case .noRootUser: (.conflict, text("No root user available, please create one", [], ""))
        case .alreadyEnabled: (.conflict, text("already enabled", [], ""))
        case .alreadyDisabled: (.conflict, text("already disabled", [], ""))
        case .tooMany: (.badRequest, text("too many users, roles or permissions, or a name is too long", [], ""))
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeUser(_ user: User, roles: [Role]) {
        writeStaticString("{\"user\":")
        writeJSONString(user.name)
        for (position, role) in roles.enumerated() {
            writeStaticString(position == 0 ? ",\"roles\":[" : ",")
            writeRole(role)
        }
        writeStaticString(roles.isEmpty ? "}" : "]}")
    }

    fileprivate mutating func writeRole(_ role: Role) {
        writeStaticString("{\"role\":")
        writeJSONString(role.name)
        writeStaticString(",\"permissions\":{\"kv\":{\"read\":")
        writeNames(role.permissions.read)
        writeStaticString(",\"write\":")
        writeNames(role.permissions.write)
        writeStaticString("}}}")
    }

    fileprivate mutating func writeNames(_ names: [AccessName]?) {
        guard let names else {
            writeStaticString("null")
            return
        }
        writeStaticString("[")
        for (position, name) in names.enumerated() {
            if position > 0 { writeStaticString(",") }
            writeJSONString(name)
        }
        writeStaticString("]")
    }
}
