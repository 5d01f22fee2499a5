import CPageChecksum
import Glibc

/// The checksums at the end of each page of `tree.db`; what they are is said in `page_checksum.h`.
package enum PageChecksums {
    /// Runs `body` with wrong checksums let pass on this thread, and later on connections that were opened in it. Whoever calls it
    /// proves the contents in another way.
    package static func tolerated<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        etclite_page_checksum_tolerate(1)
        defer { etclite_page_checksum_tolerate(0) }
        return try body()
    }
}

extension Connection {
    /// Copies the database as this connection sees it into a new file, without the space that it has to spare.
    package func copy(to path: String) throws(SQLiteError) {
        let statement = try prepare("VACUUM INTO ?")
        try statement.bind(1, text: path)
        try statement.run()
        guard etclite_page_checksum_stamp(path) == 0 else {
            throw SQLiteError(
                extendedCode: 10, message: "cannot write the checksums of its pages", file: path, systemError: errno)
        }
    }
}
