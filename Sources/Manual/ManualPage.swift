/// The page of the manual, in the language of man(7).
extension ProgramManual {
    package var page: String {
        var lines = [".TH \(name.uppercased()) \(chapter) \"\" \"etclite \(Self.escaped(version))\"", ".SH NAME"]
        lines.append("\(Self.escaped(name)) \\- \(Self.escaped(summary))")
        lines.append(".SH SYNOPSIS")
        for (number, line) in synopsis.enumerated() {
            if number > 0 { lines.append(".br") }
            lines.append(".B " + Self.escaped(line))
        }
        for section in sections.prefix(1) { lines += Self.lines(of: section) }
        if !commands.isEmpty {
            lines.append(".SH COMMANDS")
            for command in commands { lines += Self.lines(of: command, behind: "") }
        }
        for (title, options) in options where !options.isEmpty {
            lines.append(".SH \(Self.escaped(title.uppercased()))")
            for option in options { lines += Self.lines(of: option) }
        }
        for section in sections.dropFirst() { lines += Self.lines(of: section) }
        if !seeAlso.isEmpty {
            lines.append(".SH \"SEE ALSO\"")
            lines.append(seeAlso.map { ".BR \($0)" }.joined(separator: ",\n"))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(of command: Command, behind path: String) -> [String] {
        let whole = path.isEmpty ? command.name : path + " " + command.name
        if !command.commands.isEmpty { return command.commands.flatMap { Self.lines(of: $0, behind: whole) } }
        let operands = command.operands.trimmedBlanks
        var lines = [".TP", "\\fB\(escaped(whole))\\fR" + (operands.isEmpty ? "" : " " + escaped(operands)), Self.text(command.summary)]
        guard !command.options.isEmpty else { return lines }
        lines.append(".RS")
        for option in command.options { lines += Self.lines(of: option) }
        return lines + [".RE"]
    }

    private static func lines(of option: Option) -> [String] {
        let value = option.value == .none ? "" : " \\fIvalue\\fR"
        return [".TP", option.names.map { "\\fB\(escaped($0))\\fR" }.joined(separator: ", ") + value, text(option.summary)]
    }

    private static func lines(of section: Section) -> [String] {
        var lines = [".SH \"\(escaped(section.title.uppercased()))\""]
        for paragraph in section.text {
            if section.isPreformatted {
                lines += [".PP", ".nf"] + paragraph.split(separator: "\n", omittingEmptySubsequences: false).map { text(String($0)) } + [".fi"]
            } else {
                lines += [".PP", text(paragraph)]
            }
        }
        return lines
    }

    /// A line of text: one that begins with a dot or a quote would be a request.
    private static func text(_ text: String) -> String {
        let escaped = escaped(text)
        return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
    }

    private static func escaped(_ text: String) -> String { text.replacing("\\", with: "\\e").replacing("-", with: "\\-") }
}

extension String {
    fileprivate var trimmedBlanks: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
