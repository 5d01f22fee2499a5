/// The output formats for an answer about a key (ctl.md A2).
enum ResponseFormat {
    /// - Returns: lines with their ends, or nil for a format that does not exist.
    static func text(of response: KeyResponse, format: String) -> String? {
        switch format {
        case "simple": simple(response)
        case "extended": extended(response)
        case "json": json(response) + "\n"
        default: nil
        }
    }

    private static func simple(_ response: KeyResponse) -> String {
        response.action == "delete"
            ? "PrevNode.Value: \(response.previous?.value ?? "")\n" : response.node.value + "\n"
    }

    private static func extended(_ response: KeyResponse) -> String {
        var text = """
            Key: \(response.node.key)
            Created-Index: \(response.node.createdIndex)
            Modified-Index: \(response.node.modifiedIndex)\n
            """
        if let previous = response.previous { text += "PrevNode.Value: \(previous.value)\n" }
        text += "TTL: \(response.node.ttl)\nIndex: \(response.index)\n"
        if response.action != "delete" { text += "\n\(response.node.value)\n" }
        return text
    }

    private static func json(_ response: KeyResponse) -> String {
        let previous = response.previous.map(json) ?? "null"
        return "{\"action\":\(GoText.json(response.action)),\"node\":\(json(response.node)),\"prevNode\":\(previous)}"
    }

    /// The client's own structure, not the server's bytes: the order and the nulls are etcdctl's.
    private static func json(_ node: KeyNode) -> String {
        var text = "{\"key\":\(GoText.json(node.key))"
        if node.isDirectory { text += ",\"dir\":true" }
        text += ",\"value\":\(GoText.json(node.value))"
        text += ",\"nodes\":" + (node.nodes.map { "[\($0.map(json).joined(separator: ","))]" } ?? "null")
        text += ",\"createdIndex\":\(node.createdIndex),\"modifiedIndex\":\(node.modifiedIndex)"
        if let expiration = node.expiration { text += ",\"expiration\":\(GoText.json(expiration))" }
        if node.ttl != 0 { text += ",\"ttl\":\(node.ttl)" }
        return text + "}"
    }
}
