import Foundation

/// The files of the package as they lie beside this one.
enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Paths below the root, of all files with this ending; sorted.
    static func files(in folder: String, ending: String = ".swift") -> [String] {
        let path = root.appending(path: folder).path
        return names(in: folder).flatMap { name in
            var isFolder: ObjCBool = false
            // Follows links: a folder may lie elsewhere.
            _ = FileManager.default.fileExists(atPath: path + "/" + name, isDirectory: &isFolder)
            if isFolder.boolValue { return files(in: folder + "/" + name, ending: ending) }
            return name.hasSuffix(ending) ? [folder + "/" + name] : []
        }
    }

    /// Names of what lies in a folder, but for hidden ones.
    static func names(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }

    static func text(_ path: String) throws -> String { try String(contentsOf: root.appending(path: path), encoding: .utf8) }

    /// The modules that a file imports, whatever stands before the word.
    static func imports(of path: String) throws -> [String] {
        let pattern =
            /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:package|internal|public|private|fileprivate)\s+)?import\s+(?:(?:struct|class|enum|func|protocol|var|let|typealias)\s+)?(\w+)/
        return try text(path).split(separator: "\n").compactMap { line in
            (try? pattern.firstMatch(in: line)).map { String($0.output.1) }
        }
    }

    /// A file without its comments and the text of its strings, so that words in them do not count.
    static func code(_ path: String) throws -> String {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var code = String(line).replacing(/"(?:[^"\\]|\\.)*"/, with: "\"\"")
            if let comment = code.range(of: "//") { code = String(code[..<comment.lowerBound]) }
            return code
        }.joined(separator: "\n")
    }
}
