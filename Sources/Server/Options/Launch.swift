import Logging

/// What the process does after reading its options: serve, or print something and leave.
package enum Launch: Sendable {
    /// `notices` are the log lines that came up so far, in order.
    case run(ServerConfiguration, notices: [Notice])
    /// `stderr` may hold finished log lines.
    case exit(code: Int32, stdout: String, stderr: String)
}

/// Reads command line, environment and config file, and does every check that needs no port and no database
/// (server.md §1 to §3).
///
/// - Parameters:
///   - arguments: without the program's name.
///   - environment: all variables of the process.
package func launch(
    arguments: [String], environment: [String: String], surroundings: Surroundings = .live
) -> Launch {
    var attempt = LaunchAttempt(surroundings: surroundings)
    do throws(StartupFailure) {
        return try attempt.configure(arguments, environment)
    } catch {
        return attempt.report(error)
    }
}

private struct LaunchAttempt {
    let surroundings: Surroundings
    var notices: [Notice] = []
    /// Of what is said before there is a logger.
    var format = LogFormat.text

    mutating func configure(_ arguments: [String], _ environment: [String: String]) throws(StartupFailure) -> Launch {
        if arguments.first == "completion" {
            guard arguments.count == 2, let text = ServerManual.manual.text(for: arguments[1]) else {
                throw .plain("give the name of a shell: bash, zsh or fish (or man, for the page of the manual)")
            }
            return .exit(code: 0, stdout: text, stderr: "")
        }
        let reader = try ArgumentReader(arguments)
        if reader.asksForHelp { return .exit(code: 0, stdout: HelpText.flags, stderr: HelpText.usage) }
        if reader.settings.boolean("version") { return .exit(code: 0, stdout: BuildVersion.text, stderr: "") }
        notices = reader.notices
        var settings = reader.settings
        try EnvironmentVariables.merge(environment, into: &settings, notices: &notices)
        format = ServerConfiguration.logFormat(settings)
        try readConfigFile(into: &settings)
        format = ServerConfiguration.logFormat(settings)
        try LegacyAddresses.translate(&settings, surroundings: surroundings)
        try StartupChecks.verify(settings)

        var configuration = ServerConfiguration(settings, surroundings: surroundings)
        configuration.joinPeers = try LegacyAddresses.peers(
            settings, own: configuration.initialAdvertisePeerURLs, surroundings: surroundings)
        notices += identityLines(configuration, settings)
        let survey = try DataDirectorySurvey(configuration.dataDirectory, surroundings: surroundings)
        notices += survey.notices
        configuration.proxy.isStored = survey.holdsProxy
        // A member that is there stays one; etcd says nothing about the flag.
        if survey.holdsMember { configuration.proxy.mode = .off }
        notices += try StartupChecks.verifySupport(
            settings, isFounding: !survey.holdsMember, memberDirectory: configuration.memberDirectory,
            surroundings: surroundings)
        if survey.holdsMember || survey.holdsProxy {
            let kind = survey.holdsMember ? "member" : "proxy"
            notices.append(
                Notice(
                    .notice, "etcdmain",
                    "the server is already initialized as \(kind) before, starting as etcd \(kind)..."))
        }
        notices += configuration.summaryLines
        if !survey.holdsMember, !configuration.isProxy { try configuration.verifyFounding(surroundings: surroundings) }
        return .run(configuration, notices: notices)
    }

    private mutating func readConfigFile(into settings: inout Settings) throws(StartupFailure) {
        guard settings.isGiven("config-file") else { return }
        let path = settings.text("config-file")
        notices.append(
            Notice(
                .info, "etcdmain",
                "Loading server configuration from \(Quoted.go(path)). "
                    + "Command line flags and environment variables win over it."))
        switch surroundings.readFile(path) {
        case .failed(let reason):
            throw .verification("open \(path): \(reason)")
        case .text(let text):
            try ConfigFile.merge(text, into: &settings, notices: &notices)
        }
    }

    private func identityLines(_ configuration: ServerConfiguration, _ settings: Settings) -> [Notice] {
        var lines = [
            Notice(.info, "etcdmain", "etcd Version: \(BuildVersion.etcdCompatibility)"),
            Notice(.info, "etcdmain", "etclite Version: \(BuildVersion.etclite)"),
        ]
        if !settings.isGiven("data-dir") {
            lines.append(
                Notice(
                    .warning, "etcdmain",
                    "no data-dir provided, using default data-dir ./\(configuration.dataDirectory)"))
        }
        let advertised = configuration.initialAdvertisePeerURLs + configuration.advertiseClientURLs
        let asked = settings.urls("initial-advertise-peer-urls") + settings.urls("advertise-client-urls")
        if let url = advertised.first(where: { !asked.contains($0) }) {
            lines.append(
                Notice(.info, "etcdmain", "advertising using detected default host \(Quoted.go(url.host))"))
        }
        return lines
    }

    func report(_ failure: StartupFailure) -> Launch {
        var stderr = lines(notices)
        switch failure {
        case .usage(let text):
            stderr += text + "\n" + HelpText.usage
        case .verification(let reason, let further):
            let sentences = ["error verifying flags, \(reason). See 'etcd --help'."] + further
            stderr += lines(sentences.map { Notice(.error, "etcdmain", $0) })
        case .plain(let text):
            stderr += text + "\n"
        case .fatal(let text):
            stderr += lines([Notice(.critical, "etcdmain", text)])
        }
        return .exit(code: failure.exitCode, stdout: "", stderr: stderr)
    }

    private func lines(_ notices: [Notice]) -> String {
        let time = surroundings.now()
        return notices.map { notice in
            let line = format.bytes(
                level: notice.level, label: notice.label, text: notice.text, seconds: time.seconds, microseconds: time.microseconds)
            return String(decoding: line, as: UTF8.self)
        }.joined()
    }
}

extension ServerConfiguration {
    /// The lines with which etcd tells how it is set up (server.md §11).
    var summaryLines: [Notice] {
        var lines = [
            "name = \(name)",
            "data dir = \(dataDirectory)",
            "member dir = \(memberDirectory)",
            "heartbeat = \(heartbeatMilliseconds)ms",
            "election = \(electionMilliseconds)ms",
            "snapshot count = \(snapshotCount)",
            "advertise client URLs = \(advertiseClientURLs.map(\.text).joined(separator: ","))",
        ].map { Notice(.info, "embed", $0) }
        if requestBytesMax > 10_485_760 {
            lines.append(
                Notice(
                    .warning, "etcdserver",
                    "MaxRequestBytes \(requestBytesMax) exceeds maximum recommended size 10485760"))
        }
        return lines
    }
}
