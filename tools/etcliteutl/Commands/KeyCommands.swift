import ArgumentParser
import Keyspace
import Recovery

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List keys, as a server would serve them after a start.",
        discussion: "A path a line, directories with a slash at the end. With --json an object a line.")

    @OptionGroup var target: DirectoryArgument
    @OptionGroup var common: CommonOptions

    @Argument(help: "Where to begin.")
    var path = "/"

    @Flag(name: .shortAndLong, help: "Also what is below the directories.")
    var recursive = false

    @Flag(help: "Also hidden keys, whose name begins with an underscore.")
    var hidden = false

    func run() throws {
        let listing = try TreeListing(target.directory, progress: common.report())
        try listing.visit(treePath(path), recursive: recursive, hidden: hidden) { path, node in
            if common.json {
                Output.print(json: NodeJSON(path, node))
            } else {
                Output.print(Output.visible(path) + (node.isDirectory ? "/" : ""))
            }
        }
    }
}

struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Print the value of a key, as a server would serve it after a start.",
        discussion: "The bytes of the value and a line break; with --json the whole node.")

    @OptionGroup var target: DirectoryArgument
    @OptionGroup var common: CommonOptions

    @Argument(help: "The key.")
    var path: String

    func run() throws {
        let listing = try TreeListing(target.directory, progress: common.report())
        let path = treePath(self.path)
        guard let node = try listing.node(at: path) else {
            throw RecoveryError.refused(path.isRoot ? "/: is a directory" : "\(path.text): key not found")
        }
        if common.json { return Output.print(json: NodeJSON(path, node)) }
        guard !node.isDirectory else { throw RecoveryError.refused("\(path.text): is a directory") }
        Output.write(node.value + [UInt8(ascii: "\n")])
    }
}

/// `foo`, `/foo` and `/foo/` are the same key.
private func treePath(_ text: String) -> TreePath { TreePath(text.hasPrefix("/") || text.isEmpty ? text : "/" + text) }

private struct NodeJSON: Encodable {
    let path: String
    let pathBase64: String?
    let dir: Bool
    let value: String?
    let valueBase64: String?
    let createdIndex, modifiedIndex: UInt64
    let expiration: String?

    init(_ path: TreePath, _ node: TreeNode) {
        let (path, value) = (BytesJSON(path.bytes), BytesJSON(node.value))
        (self.path, pathBase64) = (path.text, path.base64)
        dir = node.isDirectory
        self.value = node.isDirectory ? nil : value.text
        valueBase64 = value.base64
        createdIndex = node.created
        modifiedIndex = node.modified
        expiration = node.expiration.map(TimeText.format)
    }
}
