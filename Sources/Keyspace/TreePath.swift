/// The place of a node in the key tree, as clean bytes: `/a/b`, and no bytes at all for the root.
///
/// Keys are bytes, not text: a key that is not UTF-8 is kept as it is (v2-keys.md §2). No empty, `.` or
/// `..` segments; the door that accepts a path cleans it first.
package struct TreePath: Hashable, Sendable {
    /// Empty for the root, else a slash before each segment and none at the end.
    package let bytes: [UInt8]

    package static let root = TreePath(clean: [])

    /// Takes bytes that are clean already: empty, or starting with a slash and not ending in one.
    package init(clean bytes: [UInt8]) { self.bytes = bytes }

    /// Drops the slashes at the end, so that `/a/` is `/a` and `/` is the root.
    ///
    /// Not for any collection: copied by code that is made for all of them, a path costs as much as finding its node.
    package init(trimming bytes: ArraySlice<UInt8>) {
        let end = bytes.lastIndex { $0 != UInt8(ascii: "/") }.map { $0 + 1 } ?? bytes.startIndex
        self.bytes = Array(bytes[..<end])
    }

    package init(_ text: String) { self.init(trimming: Array(text.utf8)[...]) }

    package var isRoot: Bool { bytes.isEmpty }

    /// Nil for the root.
    package var parent: TreePath? {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        return TreePath(clean: Array(bytes[..<slash]))
    }

    /// The last segment, without its slash; empty for the root.
    package var name: ArraySlice<UInt8> {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return [] }
        return bytes[(slash + 1)...]
    }

    package func child(_ name: some Collection<UInt8>) -> TreePath {
        var child = [UInt8]()
        child.reserveCapacity(bytes.count + 1 + name.count)
        child.append(contentsOf: bytes)
        child.append(UInt8(ascii: "/"))
        child.append(contentsOf: name)
        return TreePath(clean: child)
    }

    /// A name that begins with an underscore is left out of listings (v2-keys.md §10).
    package var isHidden: Bool { name.first == UInt8(ascii: "_") }

    /// True when this path lies strictly below `ancestor`, by whole segments.
    package func isBelow(_ ancestor: TreePath) -> Bool {
        bytes.count > ancestor.bytes.count && bytes[ancestor.bytes.count] == UInt8(ascii: "/")
            && bytes.starts(with: ancestor.bytes)
    }

    /// The ancestors from the first segment down to the parent; neither the root nor the path itself.
    package var ancestors: [TreePath] {
        bytes.indices.dropFirst().compactMap { position in
            bytes[position] == UInt8(ascii: "/") ? TreePath(clean: Array(bytes[..<position])) : nil
        }
    }

    /// As etcd shows it in messages: the root is `/`. Not UTF-8 becomes U+FFFD.
    package var text: String { isRoot ? "/" : String(decoding: bytes, as: UTF8.self) }
}

extension TreePath {
    /// As one run of bytes: an array hashes and compares element by element, and paths are looked up for every change.
    package func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    package static func == (left: TreePath, right: TreePath) -> Bool {
        left.bytes.count == right.bytes.count && left.order(against: right) == 0
    }

    /// Below zero when this path comes before the other by its bytes, zero when they are the same. Eight bytes at a time: sorting a
    /// layer of changes and every lookup in a dictionary come here.
    package func order(against other: TreePath) -> Int {
        bytes.withUnsafeBytes { one in
            other.bytes.withUnsafeBytes { two in
                let common = min(one.count, two.count)
                var position = 0
                while position + 8 <= common {
                    let left = one.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                    let right = two.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                    if left != right { return UInt64(bigEndian: left) < UInt64(bigEndian: right) ? -1 : 1 }
                    position += 8
                }
                while position < common {
                    if one[position] != two[position] { return one[position] < two[position] ? -1 : 1 }
                    position += 1
                }
                return one.count - two.count
            }
        }
    }
}

extension TreePath: Comparable {
    /// By bytes, as etcd's `sorted` orders names.
    package static func < (left: TreePath, right: TreePath) -> Bool {
        left.order(against: right) < 0
    }
}
