import Storage

/// The full check of a directory.
package enum Check {
    /// Looks at everything and gathers what is wrong. Throws only when there is nothing to look at.
    package static func run(_ path: String, progress: ProgressReport? = nil) throws(RecoveryError) -> FullVerification {
        FullVerification(try Looking.directory(path), progress: progress)
    }
}
