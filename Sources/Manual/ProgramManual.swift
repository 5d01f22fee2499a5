/// What a program's command line understands, for what is made of it: completion in shells, and the page of the manual.
package struct ProgramManual: Sendable {
    package struct Option: Sendable {
        /// What may stand behind it.
        package enum Value: Equatable, Sendable {
            /// None: it is a switch.
            case none
            case any
            case file
            case directory
            case words([String])
        }

        /// As typed, with their dashes.
        package let names: [String]
        package let value: Value
        /// One line.
        package let summary: String

        package init(_ names: [String], _ value: Value, _ summary: String) {
            self.names = names
            self.value = value
            self.summary = summary
        }
    }

    package struct Command: Sendable {
        package let name: String
        package let summary: String
        /// How its operands are shown.
        package let operands: String
        package let options: [Option]
        package let commands: [Command]
        /// What its operands may be, where that is known.
        package let words: [String]

        package init(
            _ name: String, _ summary: String, operands: String = "", options: [Option] = [], commands: [Command] = [],
            words: [String] = []
        ) {
            self.name = name
            self.summary = summary
            self.operands = operands
            self.options = options
            self.commands = commands
            self.words = words
        }
    }

    /// A part of the page that is neither usage, option nor command.
    package struct Section: Sendable {
        package let title: String
        /// Paragraphs.
        package let text: [String]
        /// Shown as it is, line by line.
        package let isPreformatted: Bool

        package init(_ title: String, _ text: [String], isPreformatted: Bool = false) {
            self.title = title
            self.text = text
            self.isPreformatted = isPreformatted
        }
    }

    package let name: String
    /// Other names by which it is called, and completed.
    package let aliases: [String]
    /// Half a sentence.
    package let summary: String
    package let version: String
    /// Of the manual: 1 for what people call, 8 for what the system runs.
    package let chapter: Int
    package let synopsis: [String]
    package let options: [(title: String, options: [Option])]
    package let commands: [Command]
    package let sections: [Section]
    package let seeAlso: [String]

    package init(
        name: String, aliases: [String] = [], summary: String, version: String, chapter: Int, synopsis: [String],
        options: [(title: String, options: [Option])] = [], commands: [Command] = [], sections: [Section] = [], seeAlso: [String] = []
    ) {
        self.name = name
        self.aliases = aliases
        self.summary = summary
        self.version = version
        self.chapter = chapter
        self.synopsis = synopsis
        self.options = options
        self.commands = commands
        self.sections = sections
        self.seeAlso = seeAlso
    }
}

extension ProgramManual {
    /// The command by which each program gives all this away.
    package static func completionCommand(_ summary: String = "print what makes a shell complete this program's words") -> Command {
        Command("completion", summary, operands: "bash|zsh|fish|man", words: ["bash", "zsh", "fish", "man"])
    }

    /// What `completion` prints; nil for a word that it does not know.
    package func text(for word: String) -> String? {
        switch word {
        case "bash": Completion(self).bash
        case "zsh": Completion(self).zsh
        case "fish": Completion(self).fish
        case "man": page
        default: nil
        }
    }
}
