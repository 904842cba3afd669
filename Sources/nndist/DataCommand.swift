import ArgumentParser
import Datasets
import Foundation
import Tensors
import Training

/// `nndist data`.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Describes data files and makes them from other formats.",
    subcommands: [Info.self, Import.self, Synthetic.self])

  /// `nndist data info`.
  struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Describes a data file: arrays, ranges, rows per class, fingerprint.")
    @Argument(help: "The data file, HDF5.") var file: String
    @OptionGroup var names: DatasetNameOptions
    @Flag(help: "Prints JSON.") var json = false

    func run() throws {
      Job.onFirstProcess(self) {
        let options = Dataset.Options(
          samples: names.samples, targets: names.targets, layout: names.reading.layout,
          scale: names.reading.scales, bias: names.reading.biases)
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
        try requireApart(
          output, option: "--output", from: [("the samples", samples), ("the labels", labels)])
        if let scale, !(scale.isFinite && scale != 0) {
          throw ValidationError("--scale: found \(scale), expected a finite number that is not 0")
        }
      }

      func run() throws {
        Job.onFirstProcess(self) {
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

  /// `nndist data synthetic`.
  struct Synthetic: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes a data file of random bytes and labels, to try and measure things on.",
      discussion: """
        Samples of three extents are images [channels, height, width]. Bytes are read as numbers from \
        0 to 1. Equal options make equal files.
        """)
    @Argument(help: "The data file to write.") var output: String
    @Option(help: "The extents of a sample, such as 784 or 3,224,224.") var samples: String
    @Option(help: "The number of classes of the labels.") var classes: Int
    @Option(help: "The number of rows.") var rows: Int
    @Option(help: "What the random numbers depend on.") var seed: UInt64 = 1
    @Flag(help: "Replaces the file if it exists.") var replace = false

    func validate() throws {
      _ = try sampleExtents(samples)
      let largest = Int(Int32.max)
      for (name, value) in [("--classes", classes), ("--rows", rows)]
      where !(1...largest).contains(value) {
        throw ValidationError("\(name): found \(value), expected a number from 1 to \(largest)")
      }
    }

    func run() throws {
      Job.onFirstProcess(self) {
        let shape = Shape(try sampleExtents(samples))
        try writeSyntheticData(
          to: output, sampleShape: shape, classCount: classes, rowCount: rows, seed: seed,
          replacing: replace)
        print("\(output): \(counted(rows, "row")) of \(shape)")
        return 0
      }
    }
  }
}

/// Reads the extents in the value of `--samples`.
///
/// - Parameter text: The value, such as `3,32,32`.
/// - Returns: The extents, each positive.
/// - Throws: `ValidationError` for anything else, and for more elements than a sample may have.
func sampleExtents(_ text: String) throws -> [Int] {
  let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
  let extents = parts.compactMap { $0 }
  guard extents.count == parts.count, extents.allSatisfy({ $0 > 0 }) else {
    throw ValidationError("--samples: found '\(text)', expected positive extents such as 784")
  }
  let largest = 1 << 28
  guard Shape(extents).count <= largest else {
    throw ValidationError("--samples: found '\(text)', expected at most \(largest) elements")
  }
  return extents
}
