/// Something that must never happen has happened; the run ends here.
package struct Violation: Error, Equatable, CustomStringConvertible {
    package var property: String
    package var text: String

    package init(_ property: String, _ text: String) {
        self.property = property
        self.text = text
    }

    package var description: String { "\(property): \(text)" }
}
