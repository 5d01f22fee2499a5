/// Why certificate files cannot be used: one sentence that names the file, and where there is one the subject and the date.
package struct TLSFailure: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
