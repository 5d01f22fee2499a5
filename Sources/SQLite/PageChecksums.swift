import CPageChecksum

/// The checksums at the end of each page of `tree.db`; what they are is said in `page_checksum.h`.
package enum PageChecksums {
    /// Runs `body` with wrong checksums let pass on this thread. Whoever calls it proves the contents in another way.
    package static func tolerated<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        etclite_page_checksum_tolerate(1)
        defer { etclite_page_checksum_tolerate(0) }
        return try body()
    }
}
