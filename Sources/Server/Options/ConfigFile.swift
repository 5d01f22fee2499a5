import Yams

/// The YAML config file (server.md §1.3): a mapping of flag names, plus etcd's two nested security blocks.
enum ConfigFile {
    /// Bound of the file's size in bytes; real ones have a few kilobytes.
    static let sizeMax = 1 << 20

    private static let blocks = ["client-transport-security": "", "peer-transport-security": "peer-"]

    /// Adds the file's values where neither flag nor variable spoke.
    ///
    /// - Parameter text: the file's content.
    /// - Throws: `.verification` for what is no YAML or of a wrong type, `.plain` for bad URLs, both in etcd's words.
    static func merge(
        _ text: String, into settings: inout Settings, notices: inout [Notice]
    ) throws(StartupFailure) {
        guard let root = try parse(text) else { return }
        if root.null != nil { return }
        guard let mapping = root.mapping else {
            throw wrongType(root, "Go value of type embed.configYAML")
        }
        for (keyNode, node) in mapping {
            let key = keyNode.scalar?.string ?? ""
            if let prefix = blocks[key] {
                try mergeBlock(node, named: key, prefix: prefix, into: &settings, notices: &notices)
            } else {
                try mergeValue(node, key: key, optionName: key, into: &settings, notices: &notices)
            }
        }
    }

    private static func parse(_ text: String) throws(StartupFailure) -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw .verification("error converting YAML to JSON: yaml: \(summary(error))")
        } catch {
            throw .verification("error converting YAML to JSON: yaml: \(error)")
        }
    }

    /// Yams' description draws the line with a caret below; a log line has room for one sentence.
    private static func summary(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line): \(problem)"
        case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
            problem
        case .duplicatedKeysInMapping(let duplicates, _):
            "the same key twice: " + duplicates.sorted().joined(separator: ", ")
        case .no, .memory, .dataCouldNotBeDecoded:
            "cannot be read"
        }
    }

    private static func mergeBlock(
        _ node: Node, named block: String, prefix: String, into settings: inout Settings, notices: inout [Notice]
    ) throws(StartupFailure) {
        if node.null != nil { return }
        guard let mapping = node.mapping else {
            throw wrongType(node, "Go struct field configYAML.\(block) of type embed.securityConfig")
        }
        let members = ["cert-file", "key-file", "client-cert-auth", "trusted-ca-file", "auto-tls"]
        for (keyNode, value) in mapping {
            let key = keyNode.scalar?.string ?? ""
            let name = members.contains(key) ? prefix + key : ""
            try mergeValue(
                value, key: "\(block).\(key)", optionName: name, structName: "securityConfig", into: &settings,
                notices: &notices)
        }
    }

    private static func mergeValue(
        _ node: Node, key: String, optionName: String, structName: String = "configYAML",
        into settings: inout Settings, notices: inout [Notice]
    ) throws(StartupFailure) {
        guard let option = OptionTable.option(optionName), optionName == option.name || optionName == "log-output",
            option.group != .legacy, !["config-file", "version", "help"].contains(option.name)
        else {
            notices.append(Notice(.warning, "etcdmain", "unknown key \(Quoted.go(key)) in the config file"))
            return
        }
        if node.null != nil { return }
        let text = try value(node, of: option, field: "\(structName).\(key)")
        if let source = settings.source(of: option.name) {
            let winner =
                source == .flag ? "command-line flag --\(option.name)" : "environment variable \(option.variable)"
            notices.append(Notice(.warning, "etcdmain", "config file value of \(key) is shadowed by the \(winner)"))
            return
        }
        settings.set(option.name, to: text, from: .file)
    }

    /// The value as it would stand on the command line; its YAML type has to fit, as in etcd.
    private static func value(_ node: Node, of option: Option, field: String) throws(StartupFailure) -> String {
        let target = "Go struct field \(field) of type \(goType(option.kind))"
        // host-whitelist is one string in the file, as log-outputs was under its name of 3.3.
        let isList = option.kind == .list && option.name != "host-whitelist" && !field.hasSuffix(".log-output")
        if isList {
            guard let sequence = node.sequence, sequence.allSatisfy({ $0.scalar != nil }) else {
                throw wrongType(node, target)
            }
            return sequence.compactMap { $0.scalar?.string }.joined(separator: ",")
        }
        guard let scalar = node.scalar else { throw wrongType(node, target) }
        let text = scalar.string
        switch option.kind {
        case .boolean:
            guard let value = node.bool, isPlain(scalar) else { throw wrongType(node, target) }
            return value ? "true" : "false"
        case .unsigned, .signed:
            guard jsonType(node) == "number" else { throw wrongType(node, target) }
            guard OptionValue.problem(text, option.kind) == nil else { throw wrongType(node, target, showing: text) }
            return text
        case .duration:
            // Integer nanoseconds, where a flag wants a unit.
            guard jsonType(node) == "number", OptionValue.problem(text, .signed) == nil else {
                throw wrongType(node, target)
            }
            return text + "ns"
        case .choice(let choices):
            // Also without quotes: `proxy: off` is a boolean to YAML.
            guard text.isEmpty || choices.contains(text) else { throw badChoice(option, text) }
            return text
        case .urls, .origins:
            guard jsonType(node) == "string" else { throw wrongType(node, target) }
            if !text.isEmpty, let problem = OptionValue.problem(text, option.kind) {
                throw .plain("unexpected error setting up \(option.name): \(problem)")
            }
            return text
        case .text, .path, .list, .address, .bindAddress:
            guard jsonType(node) == "string" else { throw wrongType(node, target) }
            return text
        }
    }

    private static func badChoice(_ option: Option, _ text: String) -> StartupFailure {
        switch option.name {
        case "initial-cluster-state": .verification("unexpected clusterState \(Quoted.go(text))")
        case "proxy": .plain("unexpected error setting up proxyFlag: invalid value")
        default: .plain("unexpected error setting up \(option.name): invalid value")
        }
    }

    private static func goType(_ kind: Option.Kind) -> String {
        switch kind {
        case .boolean: "bool"
        case .unsigned(let type): type.rawValue
        case .signed: "int64"
        case .duration: "time.Duration"
        case .list: "[]string"
        case .text, .path, .urls, .origins, .choice, .address, .bindAddress: "string"
        }
    }

    private static func jsonType(_ node: Node) -> String {
        if node.mapping != nil { return "object" }
        if node.sequence != nil { return "array" }
        guard let scalar = node.scalar, isPlain(scalar) else { return "string" }
        if node.bool != nil { return "bool" }
        return node.int != nil || node.float != nil || OptionValue.unsigned(scalar.string) != nil
            || OptionValue.problem(scalar.string, .unsigned(.uint64)) == "value out of range" ? "number" : "string"
    }

    /// Quoted scalars are strings whatever they look like.
    private static func isPlain(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain || scalar.style == .any
    }

    private static func wrongType(_ node: Node, _ target: String, showing text: String = "") -> StartupFailure {
        let type = jsonType(node)
        let shown = text.isEmpty ? type : "\(type) \(text)"
        return .verification(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal \(shown) into \(target)")
    }
}
