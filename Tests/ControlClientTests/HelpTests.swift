import Testing

@testable import ControlClient

@Suite("ctl.md A7: help")
struct HelpTests {
    @Test("A command's page")
    func commandPage() async {
        let page = """
            NAME:
               etcdctl get - retrieve the value of a key

            USAGE:
               etcdctl get [command options] <key>

            OPTIONS:
               --sort        returns result in sorted order
               --quorum, -q  require quorum for get request
               \n
            """
        #expect(await etcdctl(["help", "get"]) == Outcome(out: page))
        #expect(await etcdctl(["get", "--help"]) == Outcome(out: page))
        #expect(await etcdctl(["get", "/k", "-h"]) == Outcome(out: page))
        let text = "flag provided but not defined: -nosuch"
        #expect(
            await etcdctl(["get", "--nosuch", "/k"])
                == Outcome(out: "Incorrect Usage: \(text)\n\n\(page)", err: "\(text)\n", status: 1))
    }

    @Test("The program's page is printed without a command, by help and by --help")
    func programPage() async {
        let outcome = await etcdctl([])
        #expect(outcome.status == 0)
        #expect(outcome.out.hasPrefix("NAME:\n   etcdctl - A simple command line client for etcd.\n\nUSAGE:\n"))
        #expect(outcome.out.contains("\n   exec-watch      watch a key for changes and exec an executable\n"))
        #expect(outcome.out.contains("\n   --peers value, -C value          DEPRECATED"))
        #expect(outcome.out.hasSuffix("\n   --version, -v                    print the version\n"))
        for words in [["help"], ["h"], ["--help"], ["-h", "get"]] {
            #expect(await etcdctl(words) == outcome)
        }
    }

    @Test("A group without a command prints its members")
    func groupPage() async {
        let page = """
            NAME:
               etcdctl auth - overall auth controls

            USAGE:
               etcdctl auth command [command options] [arguments...]

            COMMANDS:
               enable   enable auth access controls
               disable  disable auth access controls

            OPTIONS:
               --help, -h  show help
               \n
            """
        #expect(await etcdctl(["auth"]) == Outcome(out: page))
    }

    @Test("An unknown command is status 3")
    func unknownCommand() async {
        #expect(await etcdctl(["x"]) == Outcome(err: "No help topic for 'x'\n", status: 3))
        #expect(await etcdctl(["help", "x"]) == Outcome(err: "No help topic for 'x'\n", status: 3))
        #expect(await etcdctl(["member", "x"]) == Outcome(err: "No help topic for 'x'\n", status: 3))
    }

    @Test("The version has the lines that scripts look for")
    func version() async {
        #expect(await etcdctl(["--version"]) == Outcome(out: "etcdctl version: 3.4.23\nAPI version: 2\n"))
    }

    @Test("What this version cannot do is said in a sentence")
    func unsupported() async {
        #expect(
            await etcdctl(["backup"])
                == Outcome(err: "no backup directory provided (use --backup-dir)\n", status: 1))
        #expect(
            await etcdctl(["backup", "--wal-dir", "w", "--backup-dir", "b"])
                == Outcome(err: "--wal-dir: the log lies in the data directory here; leave the flag out\n", status: 1))
        #expect(
            await etcdctl(["ls"], environment: ["ETCDCTL_API": "4"])
                == Outcome(err: "unsupported API version 4\n", status: 1))
        #expect(await etcdctl(["ls"], environment: ["ETCDCTL_API": "3"]).status == 1)
    }
}
