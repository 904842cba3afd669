import ArgumentParser
import Checkpoints
import Foundation
import Training

/// `nndist checkpoint`.
struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "Describes, compares and lists checkpoints.",
    subcommands: [Info.self, Digest.self, List.self])

  /// `nndist checkpoint info`.
  struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Says what a checkpoint holds and where in its run it stands.")
    @Argument(help: "The checkpoint.") var file: String

    func run() throws {
      Job.onFirstProcess(self) {
        print(try Checkpoint(file).summary(), terminator: "")
        return 0
      }
    }
  }

  /// `nndist checkpoint digest`.
  struct Digest: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints SHA-256 over all arrays, as hexadecimal digits alone.",
      discussion: "Equal digests mean equal bits of parameters, state and optimiser state.")
    @Argument(help: "The checkpoint.") var file: String

    func run() throws {
      Job.onFirstProcess(self) {
        print(try Checkpoint(file).digest())
        return 0
      }
    }
  }

  /// `nndist checkpoint list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the checkpoints of a run directory or of a folder.")
    @Argument(help: "A run directory, or a folder of checkpoints.") var folder: String

    func run() throws {
      Job.onFirstProcess(self) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder),
          isFolder.boolValue
        else {
          printError(
            "\(folder): found no such folder, expected a run directory or one of checkpoints")
          return ExitStatus.badData
        }
        let inside = "\(folder)/checkpoints"
        let path = FileManager.default.fileExists(atPath: inside) ? inside : folder
        let folder = try CheckpointFolder(path)
        let best = try? folder.best()?.step
        var rows = [["step", "epoch", "size", "file", ""]]
        for entry in try folder.entries() {
          let size = try FileManager.default.attributesOfItem(atPath: entry.path)[.size] as? Int
          var cells = ["\(entry.step)", "-", formatted(bytes: size ?? 0), entry.path, ""]
          do {
            let checkpoint = try Checkpoint(entry.path)
            cells[1] = "\(try checkpoint.record().epoch)"
            cells[4] = checkpoint.isVerified ? "verified" : "unverified"
            if entry.step == best { cells[4] += ", best" }
          } catch {
            cells[4] = "unusable: \(error)"
          }
          rows.append(cells)
        }
        guard rows.count > 1 else {
          print("\(path): no checkpoints")
          return 0
        }
        for line in table(rows, rightAligned: [0, 1, 2]) { print(line) }
        return 0
      }
    }
  }
}
