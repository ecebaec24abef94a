// holdfast: the command line.
//
// One program with the nouns and verbs people know from etcdctl and nats. `serve` layers its settings
// (file, environment, flags), checks every value, and hands one `NodeConfiguration` to the node; it stays
// on the main thread with no other thread started, because the node forks. Every other command is a
// client: tables for people, `--json` for programs.
//
// Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 75 temporary, try again.

import ArgumentParser
import EdgeNode
import HoldfastClient

@main
struct Holdfast: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "holdfast",
        abstract: "Objects with one owner, on a cluster of equal nodes.",
        version: holdfastVersion,
        subcommands: [
            ServeCommand.self, ClusterCommand.self, MemberCommand.self, DrainCommand.self, UndrainCommand.self,
            MoveCommand.self, ExplainCommand.self, DoctorCommand.self, VerifyCommand.self, DrillCommand.self,
            ObjectCommand.self,
            ProjectCommand.self, KeyCommand.self, ClassCommand.self, TokenCommand.self, CapabilityCommand.self,
            AdminCommand.self, AuditCommand.self, BackupCommand.self,
            RestoreCommand.self, ScrubCommand.self, TLSCommand.self, SecretsCommand.self,
            BenchCommand.self, SimulateCommand.self, VersionCommand.self, CompletionCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            endProgram(withStatus: ExitStatus.report(error))
        }
    }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version of this program.")

    func run() {
        print(holdfastVersion)
    }
}

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a completion script for a shell.")

    @Argument(help: "bash, zsh or fish.")
    var shell: String

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw ValidationError("'\(shell)' is none of bash, zsh, fish.")
        }
        print(Holdfast.completionScript(for: shell))
    }
}
