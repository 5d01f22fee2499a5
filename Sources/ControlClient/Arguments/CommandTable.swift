/// All commands, in the order of the help.
enum CommandTable {
    static let commands: [Command] =
        [backup, clusterHealth] + keyCommands + [watch, execWatch, member, importing, user, role, auth, completion]

    private static let ttl = Flag("ttl", kind: .int, usage: "key time-to-live in seconds")
    private static let sort = Flag("sort", kind: .bool, usage: "returns result in sorted order")
    private static let quorum = Flag("quorum", "q", kind: .bool, usage: "require quorum for get request")
    private static let afterIndex = Flag("after-index", kind: .int, usage: "watch after the given index")

    private static let keyCommands: [Command] = [
        Command(
            name: "mk", usage: "make a new key with a given value", argumentsUsage: "<key> <value>",
            flags: [
                Flag("in-order", kind: .bool, usage: "create in-order key under directory <key>"), ttl,
            ], action: .run(KeyCommands.mk)),
        Command(
            name: "mkdir", usage: "make a new directory", argumentsUsage: "<key>", flags: [ttl],
            action: .run(DirectoryCommands.mkdir)),
        Command(
            name: "rm", usage: "remove a key or a directory", argumentsUsage: "<key>",
            flags: [
                Flag(
                    "dir", kind: .bool, usage: "removes the key if it is an empty directory or a key-value pair"),
                Flag(
                    "recursive", "r", kind: .bool,
                    usage: "removes the key and all child keys(if it is a directory)"),
                Flag("with-value", kind: .string(), usage: "previous value"),
                Flag("with-index", kind: .int, usage: "previous index"),
            ], action: .run(KeyCommands.rm)),
        Command(
            name: "rmdir", usage: "removes the key if it is an empty directory or a key-value pair",
            argumentsUsage: "<key>", action: .run(DirectoryCommands.rmdir)),
        Command(
            name: "get", usage: "retrieve the value of a key", argumentsUsage: "<key>", flags: [sort, quorum],
            action: .run(KeyCommands.get)),
        Command(
            name: "ls", usage: "retrieve a directory", argumentsUsage: "[key]",
            flags: [
                sort,
                Flag(
                    "recursive", "r", kind: .bool,
                    usage: "returns all key names recursively for the given path"),
                Flag("p", kind: .bool, usage: "append slash (/) to directories"), quorum,
            ], action: .run(DirectoryCommands.ls)),
        Command(
            name: "set", usage: "set the value of a key", argumentsUsage: "<key> <value>",
            description: """
                Set sets the value of a key.

                   When <value> begins with '-', <value> is interpreted as a flag.
                   Insert '--' for workaround:

                   $ set -- <key> <value>
                """,
            flags: [
                ttl, Flag("swap-with-value", kind: .string(), usage: "previous value"),
                Flag("swap-with-index", kind: .int, usage: "previous index"),
            ], action: .run(KeyCommands.set)),
        Command(
            name: "setdir", usage: "create a new directory or update an existing directory TTL",
            argumentsUsage: "<key>", flags: [ttl], action: .run(DirectoryCommands.setdir)),
        Command(
            name: "update", usage: "update an existing key with a given value", argumentsUsage: "<key> <value>",
            flags: [ttl], action: .run(KeyCommands.update)),
        Command(
            name: "updatedir", usage: "update an existing directory", argumentsUsage: "<key> <value>",
            flags: [ttl], action: .run(DirectoryCommands.updatedir)),
    ]

    private static let watch = Command(
        name: "watch", usage: "watch a key for changes", argumentsUsage: "<key>",
        flags: [
            Flag("forever", "f", kind: .bool, usage: "forever watch a key until CTRL+C"), afterIndex,
            Flag("recursive", "r", kind: .bool, usage: "returns all values for key and child keys"),
        ], action: .run(WatchCommands.watch))

    private static let execWatch = Command(
        name: "exec-watch", usage: "watch a key for changes and exec an executable",
        argumentsUsage: "<key> <command> [args...]",
        flags: [
            afterIndex, Flag("recursive", "r", kind: .bool, usage: "watch all values for key and child keys"),
        ], operandsBeforeRest: 1, action: .run(WatchCommands.execWatch))

    private static let clusterHealth = Command(
        name: "cluster-health", usage: "check the health of the etcd cluster", argumentsUsage: " ",
        flags: [Flag("forever", "f", kind: .bool, usage: "forever check the health every 10 second until CTRL+C")],
        action: .run(ClusterHealthCommand.run))

    private static let backup = Command(
        name: "backup", usage: "backup an etcd directory", argumentsUsage: " ",
        flags: [
            Flag("data-dir", kind: .string(), usage: "Path to the etcd data dir; the endpoints are asked when it is not given"),
            Flag("wal-dir", kind: .string(), usage: "Path to the etcd wal dir"),
            Flag("backup-dir", kind: .string(), usage: "Path to the backup dir"),
            Flag("backup-wal-dir", kind: .string(), usage: "Path to the backup wal dir"),
            Flag("with-v3", kind: .bool, usage: "Backup v3 backend data"),
        ], action: .run(BackupCommand.run))

    /// Of our own.
    private static let completion = Command(
        name: "completion", usage: "print a shell's completion script, or the page of the manual", argumentsUsage: "bash|zsh|fish|man",
        action: .run(CompletionCommand.run))

    /// Only in etcdctl 2.
    private static let importing = Command(
        name: "import", usage: "import a snapshot to a cluster", argumentsUsage: " ",
        flags: [
            Flag("snap", kind: .string(), usage: "Path to the valid etcd 0.4.x snapshot."),
            Flag("hidden", kind: .strings, usage: "Hidden key spaces to import from snapshot"),
            Flag("c", kind: .int, usage: "Number of concurrent clients to import the data (10 when not given)"),
        ], action: .run(ImportCommand.run))

    private static let member = Command(
        name: "member", usage: "member add, remove and list subcommands",
        action: .group([
            Command(
                name: "list", usage: "enumerate existing cluster members", argumentsUsage: " ",
                action: .run(MemberCommands.list)),
            Command(
                name: "add", usage: "add a new member to the etcd cluster", argumentsUsage: "<name> <peerURL>",
                action: .run(MemberCommands.add)),
            Command(
                name: "remove", usage: "remove an existing member from the etcd cluster", argumentsUsage: "<memberID>",
                action: .run(MemberCommands.remove)),
            Command(
                name: "update", usage: "update an existing member in the etcd cluster", argumentsUsage: "<memberID> <peerURLs>",
                action: .run(MemberCommands.update)),
        ]))

    private static let roles = Flag("roles", kind: .string(), usage: "List of roles to grant or revoke")

    private static let user = Command(
        name: "user", usage: "user add, grant and revoke subcommands",
        action: .group([
            Command(
                name: "add", usage: "add a new user for the etcd cluster", argumentsUsage: "<user>", action: .run(UserCommands.add)),
            Command(
                name: "get", usage: "get details for a user", argumentsUsage: "<user>", action: .run(UserCommands.get)),
            Command(
                name: "list", usage: "list all current users", argumentsUsage: "<user>", action: .run(UserCommands.list)),
            Command(
                name: "remove", usage: "remove a user for the etcd cluster", argumentsUsage: "<user>", action: .run(UserCommands.remove)),
            Command(
                name: "grant", usage: "grant roles to an etcd user", argumentsUsage: "<user>", flags: [roles], action: .run(UserCommands.grant)),
            Command(
                name: "revoke", usage: "revoke roles for an etcd user", argumentsUsage: "<user>", flags: [roles], action: .run(UserCommands.revoke)),
            Command(
                name: "passwd", usage: "change password for a user", argumentsUsage: "<user>", action: .run(UserCommands.passwd)),
        ]))

    /// - Parameters:
    ///   - done: the participle of `verb`.
    ///   - only: what etcdctl writes behind `read` and `write`.
    private static func permissions(_ verb: String, done: String, only: String) -> [Flag] {
        [
            Flag("path", kind: .string(), usage: "Path \(done) for the role to access"),
            Flag("read", kind: .bool, usage: "\(verb) read\(only) access"),
            Flag("write", kind: .bool, usage: "\(verb) write\(only) access"),
            Flag("readwrite", "rw", kind: .bool, usage: "\(verb) read-write access"),
        ]
    }

    private static let role = Command(
        name: "role", usage: "role add, grant and revoke subcommands",
        action: .group([
            Command(
                name: "add", usage: "add a new role for the etcd cluster", argumentsUsage: "<role>", action: .run(RoleCommands.add)),
            Command(
                name: "get", usage: "get details for a role", argumentsUsage: "<role>", action: .run(RoleCommands.get)),
            Command(
                name: "list", usage: "list all roles", argumentsUsage: " ", action: .run(RoleCommands.list)),
            Command(
                name: "remove", usage: "remove a role from the etcd cluster", argumentsUsage: "<role>", action: .run(RoleCommands.remove)),
            Command(
                name: "grant", usage: "grant path matches to an etcd role", argumentsUsage: "<role>",
                flags: permissions("Grant", done: "granted", only: "-only"), action: .run(RoleCommands.grant)),
            Command(
                name: "revoke", usage: "revoke path matches for an etcd role", argumentsUsage: "<role>",
                flags: permissions("Revoke", done: "revoked", only: ""), action: .run(RoleCommands.revoke)),
        ]))

    private static let auth = Command(
        name: "auth", usage: "overall auth controls",
        action: .group([
            Command(
                name: "enable", usage: "enable auth access controls", argumentsUsage: " ", action: .run(AuthCommands.enable)),
            Command(
                name: "disable", usage: "disable auth access controls", argumentsUsage: " ", action: .run(AuthCommands.disable)),
        ]))
}
