import Keyspace

/// The rules once more, for comparison: a tree of objects that always walks from the root, with none of the
/// short cuts of the real one and none of its code.
final class NaiveTree {
    final class Node {
        var value: [UInt8] = []
        var children: [String: Node]?
        var created: UInt64
        var modified: UInt64
        var expiration: Int64?

        init(isDirectory: Bool, index: UInt64) {
            children = isDirectory ? [:] : nil
            created = index
            modified = index
        }

        var isDirectory: Bool { children != nil }

        var stored: TreeNode {
            TreeNode(
                isDirectory: isDirectory, value: value, created: created, modified: modified, expiration: expiration)
        }
    }

    let root = Node(isDirectory: true, index: 0)
    var index: UInt64 = 0
    var watched: Set<String> = []

    func apply(_ command: Command, time: Int64) -> Result<Event, Refusal> {
        do throws(Refusal) {
            var path = String(decoding: command.path.bytes, as: UTF8.self)
            if command.operation == .createInOrder {
                let digits = "\(index + 1)"
                path += "/" + String(repeating: "0", count: 20 - digits.count) + digits
            }
            if path.isEmpty { throw command.operation == .compareAndDelete ? .notAFile(nil) : .rootIsReadOnly }
            let event =
                switch command.operation {
                case .set, .create, .createInOrder: try put(path, command, time)
                case .update, .compareAndSwap: try change(path, command, time)
                default: try delete(path, command, time)
                }
            index += 1
            return .success(event)
        } catch {
            return .failure(error)
        }
    }

    func expire(time: Int64) -> [Event] {
        var events: [Event] = []
        while let (path, node) = everything().filter({ ($0.1.expiration ?? .max) <= time })
            .min(by: { ($0.1.expiration ?? .max, TreePath($0.0)) < ($1.1.expiration ?? .max, TreePath($1.0)) })
        {
            events.append(take(path, node, .expire, time))
            index += 1
        }
        return events
    }

    /// Every node with its path, in no particular order.
    func everything() -> [(String, Node)] {
        func walk(_ node: Node, _ path: String) -> [(String, Node)] {
            (node.children ?? [:]).flatMap { name, child in
                [(path + "/" + name, child)] + walk(child, path + "/" + name)
            }
        }
        return walk(root, "")
    }

    func get(_ path: String, recursive: Bool) -> Result<Reading, Refusal> {
        func list(_ node: Node, _ path: String, _ depth: Int) -> [ListedNode] {
            (node.children ?? [:]).filter { !$0.key.hasPrefix("_") }
                .sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
                .flatMap { name, child in
                    [ListedNode(depth: depth, path: TreePath(path + "/" + name), node: child.stored)]
                        + (recursive ? list(child, path + "/" + name, depth + 1) : [])
                }
        }
        do throws(Refusal) {
            let node = try find(path)
            if !node.isDirectory { return .success(.file(node.stored)) }
            return .success(.directory(path.isEmpty ? nil : node.stored, list(node, path, 1)))
        } catch {
            return .failure(error)
        }
    }

    private func find(_ path: String) throws(Refusal) -> Node {
        var node = root
        var walked = ""
        for name in path.split(separator: "/") {
            if !node.isDirectory { throw .notADirectory(TreePath(walked)) }
            walked += "/" + name
            guard let child = node.children?[String(name)] else { throw .keyNotFound(TreePath(walked)) }
            node = child
        }
        return node
    }

    private func split(_ path: String) -> (directory: String, name: String) {
        var names = path.split(separator: "/")
        let name = names.removeLast()
        return (names.map { "/" + $0 }.joined(), String(name))
    }

    private func put(_ path: String, _ command: Command, _ time: Int64) throws(Refusal) -> Event {
        let (directory, name) = split(path)
        let refresh: Node? = command.operation == .set && command.isRefresh ? try find(path) : nil
        var walked = ""
        var parent = root
        var made: [(Node, String, Node)] = []
        for name in directory.split(separator: "/") {
            if !parent.isDirectory { throw .notADirectory(TreePath(walked)) }
            walked += "/" + name
            if let child = parent.children?[String(name)] {
                parent = child
            } else {
                let child = Node(isDirectory: true, index: index + 1)
                made.append((parent, String(name), child))
                parent = child
            }
        }
        if !parent.isDirectory { throw .notADirectory(TreePath(walked)) }
        let old = parent.children?[name]
        if let old {
            if command.operation != .set { throw .keyAlreadyExists(TreePath(path)) }
            if old.isDirectory { throw .notAFile(TreePath(path)) }
        }
        let node = Node(isDirectory: command.isDirectory, index: index + 1)
        if !command.isDirectory { node.value = refresh?.value ?? command.value }
        node.expiration = command.expiration
        for (above, name, child) in made { above.children?[name] = child }
        parent.children?[name] = node
        return Event(
            command.operation == .set ? .set : .create, index: index + 1, path: TreePath(path), node: node.stored,
            previous: old?.stored, time: time, isRefresh: refresh != nil)
    }

    private func change(_ path: String, _ command: Command, _ time: Int64) throws(Refusal) -> Event {
        let node = try find(path)
        let isSwap = command.operation == .compareAndSwap
        let isValueGiven = !command.value.isEmpty && !command.isRefresh
        if node.isDirectory, isSwap || isValueGiven { throw .notAFile(TreePath(path)) }
        if isSwap { try compare(node, command) }
        let old = node.stored
        if !node.isDirectory {
            if !command.isRefresh { node.value = command.value }
            node.modified = index + 1
        }
        node.expiration = command.expiration
        var shown = node.stored
        shown.modified = index + 1
        return Event(
            isSwap ? .compareAndSwap : .update, index: index + 1, path: TreePath(path), node: shown, previous: old,
            time: time, isRefresh: command.isRefresh)
    }

    private func delete(_ path: String, _ command: Command, _ time: Int64) throws(Refusal) -> Event {
        let node = try find(path)
        if command.operation == .compareAndDelete {
            if node.isDirectory { throw .notAFile(TreePath(path)) }
            try compare(node, command)
            return take(path, node, .compareAndDelete, time)
        }
        if node.isDirectory {
            if !command.isDirectory && !command.isRecursive { throw .notAFile(TreePath(path)) }
            if node.children?.isEmpty == false && !command.isRecursive { throw .directoryNotEmpty(TreePath(path)) }
        }
        return take(path, node, .delete, time)
    }

    private func compare(_ node: Node, _ command: Command) throws(Refusal) {
        let valueHolds = command.previousValue == nil || command.previousValue == node.value
        let indexHolds = command.previousIndex == 0 || command.previousIndex == node.modified
        if valueHolds && indexHolds { return }
        throw .compareFailed(
            value: valueHolds ? nil : .init(given: command.previousValue ?? [], actual: node.value),
            index: indexHolds ? nil : .init(given: command.previousIndex, actual: node.modified))
    }

    private func take(_ path: String, _ node: Node, _ action: Event.Action, _ time: Int64) -> Event {
        let (directory, name) = split(path)
        var event = Event(
            action, index: index + 1, path: TreePath(path),
            node: TreeNode(isDirectory: node.isDirectory, created: node.created, modified: index + 1),
            previous: node.stored, time: time)
        event.removedBelow = everything().map(\.0).filter { $0.hasPrefix(path + "/") && watched.contains($0) }
            .map { TreePath($0) }.sorted()
        try? find(directory).children?[name] = nil
        return event
    }
}
