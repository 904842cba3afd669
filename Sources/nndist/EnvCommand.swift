import ArgumentParser
import Communication
import Execution
import Foundation
import HDF5
import Runs
import Training

/// `nndist env`.
struct EnvCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "env", abstract: "Says what the program finds: CPU, libraries, ranks, files.")

  @Flag(help: "Prints one line of JSON.") var json = false

  func run() throws {
    Job.onAllRanks(self) { communicator in
      guard communicator.isRoot else { return 0 }
      let placement = communicator.placement
      let machine = RunConfiguration.Device.cpu.backend.machine
      let bundled = try? Installation.root()
      let facts: [(key: String, value: JSONValue)] = [
        ("version", .string(Version.text)), ("isa", .string(machine.isa)),
        ("caches", .string(machine.caches)), ("onednn", .string(machine.libraryVersion)),
        ("hdf5", .string(HDF5.libraryVersion())),
        ("mpi", .string((try? MPICommunicator.libraryVersion()) ?? "unknown")),
        ("ranks", .integer(communicator.size)), ("hosts", .integer(placement.hostCount)),
        ("host", .string(placement.hostName)),
        ("cores", .string(placement.cores.map(String.init).joined(separator: ","))),
        ("bundled_files", bundled.map { .string($0.path) } ?? .null),
      ]
      if json {
        print(jsonObject(facts))
      } else {
        let rows = facts.map { fact -> [String] in
          if case .string(let text) = fact.value { return [fact.key, text] }
          return [fact.key, fact.value.text]
        }
        for line in table(rows) { print(line) }
      }
      return 0
    }
  }
}
