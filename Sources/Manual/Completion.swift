/// Scripts by which shells complete a program's words.
///
/// All three walk the words before the cursor in the same way: a word that a command is called by leads one level down, and one that is an
/// option with a value takes the next word with it. `place` is the commands so far, each with a slash before it.
struct Completion {
    /// What is known where the words lead to one command.
    struct Place {
        let path: String
        var options: [ProgramManual.Option]
        var commands: [ProgramManual.Command]
        var words: [String]
    }

    let manual: ProgramManual
    let places: [Place]

    init(_ manual: ProgramManual) {
        self.manual = manual
        var places = [Place(path: "", options: manual.options.flatMap(\.options), commands: manual.commands, words: [])]
        func add(_ commands: [ProgramManual.Command], below path: String) {
            for command in commands {
                let own = path + "/" + command.name
                places.append(Place(path: own, options: command.options, commands: command.commands, words: command.words))
                add(command.commands, below: own)
            }
        }
        add(manual.commands, below: "")
        self.places = places
    }

    private var function: String { "_" + manual.name }
    private var names: [String] { [manual.name] + manual.aliases }

    /// What takes the next word, as patterns with one dash, by what that word is.
    private func values(at place: Place) -> [(patterns: [String], kind: String)] {
        place.options.compactMap { option in
            let kind: String
            switch option.value {
            case .none: return nil
            case .any: kind = "any"
            case .file: kind = "file"
            case .directory: kind = "directory"
            case .words(let words): kind = "words:" + words.joined(separator: " ")
            }
            return (option.names.map { $0.hasPrefix("--") ? String($0.dropFirst()) : $0 }, kind)
        }
    }

    /// The cases of a walk: options with a value set `want`, commands lengthen `place`. Common to bash and zsh.
    private var walk: String {
        places.flatMap { place in
            values(at: place).map { patterns, kind in
                "            " + patterns.map { Self.quoted("\(place.path) \($0)") }.joined(separator: "|") + ") want=\(Self.quoted(kind)) ;;"
            } + place.commands.map { "            \(Self.quoted("\(place.path) \($0.name)"))) place=\(Self.quoted("\(place.path)/\($0.name)")) ;;" }
        }.joined(separator: "\n")
    }

    // MARK: bash

    var bash: String {
        let cases = places.map { place in
            let words = place.commands.map(\.name) + place.words
            let options = place.options.flatMap(\.names)
            return "        \(Self.quoted(place.path))) words=\(Self.quoted(words.joined(separator: " "))) options=\(Self.quoted(options.joined(separator: " "))) ;;"
        }
        return """
            # bash completion for \(names.joined(separator: ", "))
            \(function)() {
                local current=${COMP_WORDS[COMP_CWORD]} place='' want='' word words='' options='' i
                for ((i = 1; i < COMP_CWORD; i++)); do
                    word=${COMP_WORDS[i]}
                    if [[ -n $want ]]; then want=''; continue; fi
                    [[ $word == --* ]] && word=${word#-}
                    case "$place $word" in
            \(walk)
                    esac
                done
                COMPREPLY=()
                case $want in
                    file) compopt -o filenames; COMPREPLY=($(compgen -f -- "$current")); return ;;
                    directory) compopt -o filenames; COMPREPLY=($(compgen -d -- "$current")); return ;;
                    words:*) COMPREPLY=($(compgen -W "${want#words:}" -- "$current")); return ;;
                    any) return ;;
                esac
                case $place in
            \(cases.joined(separator: "\n"))
                esac
                [[ $current == -* ]] && words=$options
                COMPREPLY=($(compgen -W "$words" -- "$current"))
            }
            complete -F \(function) \(names.joined(separator: " "))

            """
    }

    // MARK: zsh

    var zsh: String {
        let cases = places.map { place in
            let words = place.commands.map { Self.described($0.name, $0.summary) } + place.words
            let options = place.options.flatMap { option in option.names.map { Self.described($0, option.summary) } }
            return """
                        \(Self.quoted(place.path)))
                            words=(\(words.map(Self.quoted).joined(separator: " ")))
                            options=(\(options.map(Self.quoted).joined(separator: " "))) ;;
                """
        }
        return """
            #compdef \(names.joined(separator: " "))
            # zsh completion for \(names.joined(separator: ", "))
            \(function)() {
                local current=${words[CURRENT]} place='' want='' word i
                local -a before options
                before=("${(@)words[2,CURRENT-1]}")
                local -a words
                for word in "${before[@]}"; do
                    if [[ -n $want ]]; then want=''; continue; fi
                    [[ $word == --* ]] && word=${word#-}
                    case "$place $word" in
            \(walk)
                    esac
                done
                case $want in
                    file) _files; return ;;
                    directory) _files -/; return ;;
                    words:*) compadd -- ${=want#words:}; return ;;
                    any) return ;;
                esac
                case $place in
            \(cases.joined(separator: "\n"))
                esac
                if [[ $current == -* ]]; then
                    _describe -o option options
                elif (( $#words )); then
                    _describe word words
                fi
            }
            if [[ $funcstack[1] == \(function) ]]; then \(function) "$@"; else compdef \(function) \(names.joined(separator: " ")); fi

            """
    }

    // MARK: fish

    var fish: String {
        var lines = ["# fish completion for \(names.joined(separator: ", "))", "function \(function)_place"]
        lines += [
            "    set -l place ''", "    set -l want ''", "    set -l words (commandline -opc)", "    for word in $words[2..-1]",
            "        if test -n \"$want\"", "            set want ''", "            continue", "        end",
            "        set word (string replace -r '^--' '-' -- $word)", "        switch \"$place $word\"",
        ]
        for place in places {
            for (patterns, kind) in values(at: place) {
                lines.append("            case " + patterns.map { Self.quoted("\(place.path) \($0)") }.joined(separator: " "))
                lines.append("                set want \(Self.quoted(kind))")
            }
            for command in place.commands {
                lines.append("            case \(Self.quoted("\(place.path) \(command.name)"))")
                lines.append("                set place \(Self.quoted("\(place.path)/\(command.name)"))")
            }
        }
        lines += ["        end", "    end", "    echo -- \"$place\"", "end"]
        for name in names {
            lines.append("complete -c \(name) -f")
            for place in places {
                let condition = "-n 'test (\(function)_place) = \"\(place.path)\"'"
                for option in place.options { lines.append("complete -c \(name) \(condition) \(Self.fishOption(option))") }
                for command in place.commands {
                    lines.append("complete -c \(name) \(condition) -a \(Self.quoted(command.name)) -d \(Self.quoted(command.summary))")
                }
                if !place.words.isEmpty { lines.append("complete -c \(name) \(condition) -a \(Self.quoted(place.words.joined(separator: " ")))") }
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func fishOption(_ option: ProgramManual.Option) -> String {
        let names = option.names.map { $0.hasPrefix("--") ? "-l \($0.dropFirst(2))" : $0.count == 2 ? "-s \($0.dropFirst())" : "-o \($0.dropFirst())" }
        let value =
            switch option.value {
            case .none: ""
            case .any: " -x"
            case .file: " -r -F"
            case .directory: " -x -a '(__fish_complete_directories)'"
            case .words(let words): " -x -a \(quoted(words.joined(separator: " ")))"
            }
        return names.joined(separator: " ") + value + " -d \(quoted(option.summary))"
    }

    // MARK: Quoting

    /// For bash, zsh and fish alike: between single quotes nothing is special but their end (and in fish the backslash, which no text of ours has).
    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\"'\"'") + "'"
    }

    /// `word:what it is`, as zsh's `_describe` takes it.
    private static func described(_ word: String, _ summary: String) -> String { word + ":" + summary.replacing(":", with: " -") }
}
