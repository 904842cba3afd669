import ArgumentParser
import Datasets
import Foundation
import Training

/// `nndist data`.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Describes data files and makes them from other formats.",
    subcommands: [Info.self, Import.self])

  /// `nndist data info`.
  struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Describes a data file: arrays, ranges, rows per class, fingerprint.")
    @Argument(help: "The data file, HDF5.") var file: String
    @OptionGroup var names: DatasetNameOptions
    @Flag(help: "Prints JSON.") var json = false

    func run() throws {
      Job.onFirstProcess {
        let options = Dataset.Options(samples: names.samples, targets: names.targets)
        let description = try Dataset.open(file, options: options).describe()
        if json {
          let encoder = JSONEncoder()
          encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
          print(String(decoding: try encoder.encode(description), as: UTF8.self))
        } else {
          print(description.description)
        }
        return 0
      }
    }
  }

  /// `nndist data import`.
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes a data file from other formats.", subcommands: [IDX.self])

    /// `nndist data import idx`.
    struct IDX: ParsableCommand {
      static let configuration = CommandConfiguration(
        commandName: "idx",
        abstract: "Makes a data file from two files in the IDX format, plain or gzip.",
        discussion: "Bytes are taken for images of 0 to 255 and are read as numbers from 0 to 1.")
      @Option(help: "The IDX file of the samples.") var samples: String
      @Option(help: "The IDX file of the labels.") var labels: String
      @Option(help: "The data file to write.") var output: String
      @Option(
        name: .customLong("class-names"), help: "The names of the classes, joined by commas.")
      var classNames: String?
      @Option(help: "The factor from stored numbers to values; 1/255 for bytes.")
      var scale: Double?
      @Flag(help: "Replaces the file if it exists.") var replace = false

      func validate() throws {
        if let scale, !(scale.isFinite && scale != 0) {
          throw ValidationError("--scale: found \(scale), expected a finite number that is not 0")
        }
      }

      func run() throws {
        Job.onFirstProcess {
          try importIDX(
            samples: samples, labels: labels, to: output, scale: scale,
            classNames: classNames.map { $0.split(separator: ",").map(String.init) },
            replacing: replace)
          let dataset = try Dataset.open(output)
          print("\(output): \(counted(dataset.rowCount, "row")) of \(dataset.sampleShape)")
          return 0
        }
      }
    }
  }
}
