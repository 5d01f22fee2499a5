/// Why the tree refuses a command; the same on every member that applies it (v2-keys.md §6).
package enum Refusal: Error, Equatable, Sendable {
    /// The first path component that does not exist.
    case keyNotFound(TreePath)
    /// A condition that failed: what was given and what is there, nil for a condition that held or was not given.
    case compareFailed(value: Mismatch<[UInt8]>?, index: Mismatch<UInt64>?)
    /// Nil when etcd sends no cause: compareAndDelete of the root.
    case notAFile(TreePath?)
    /// The file in the middle of the path.
    case notADirectory(TreePath)
    case keyAlreadyExists(TreePath)
    case rootIsReadOnly
    case directoryNotEmpty(TreePath)

    package struct Mismatch<Value: Equatable & Sendable>: Equatable, Sendable {
        package let given: Value
        package let actual: Value

        package init(given: Value, actual: Value) {
            self.given = given
            self.actual = actual
        }
    }
}
