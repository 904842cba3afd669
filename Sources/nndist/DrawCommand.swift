public import ArgumentParser
public import Communication
public import Drawing
import Files
import Foundation
import Graphs
import Models
import Tensors
import Training

extension Detail: ExpressibleByArgument {}
extension Background: ExpressibleByArgument {}
extension PictureForm: ExpressibleByArgument {}

/// How a picture is drawn and where it goes.
struct PictureOptions: ParsableArguments {
  @Option(help: "How much is shown.") var detail: Detail = .layers
  @Option(
    name: .customLong("as"), help: "What is written; by default the ending of the output, or text.")
  var form: PictureForm?
  @Option(help: "The paper.") var background: Background = .light
  @Option(help: "The file to write; standard output without.") var output: String?
  @Flag(help: "Draws the gradient too.") var gradient = false

  /// The form asked for, or the one that the name of the output ends in.
  private func chosenForm() throws -> PictureForm {
    if let form { return form }
    guard let output else { return .text }
    let ending = URL(fileURLWithPath: output).pathExtension.lowercased()
    let known = ["txt": PictureForm.text, "gv": .dot, "mmd": .mermaid]
    guard let form = PictureForm(rawValue: ending) ?? known[ending] else {
      throw ValidationError("\(output): found no ending that names a form, expected --as FORM")
    }
    return form
  }

  func validate() throws {
    let form = try chosenForm()
    guard output != nil || (form != .png && form != .pdf) || isatty(STDOUT_FILENO) == 0 else {
      throw ValidationError("--as \(form.rawValue) on a terminal, expected --output FILE")
    }
  }

  /// Draws, and writes the picture to its file or to standard output.
  func write(_ drawn: DrawnGraph) throws {
    let bytes = try drawn.picture(as: try chosenForm(), detail: detail, background: background)
    if let output {
      try bytes.withUnsafeBytes { try replaceFile(at: output, with: [$0], isDurable: false) }
    } else {
      try FileHandle.standardOutput.write(contentsOf: bytes)
    }
  }
}

/// `nndist draw`.
struct DrawCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "draw", abstract: "Draws the graph of a configuration or a checkpoint.",
    discussion: """
      SVG, PNG and PDF are laid out by Graphviz, at detail 'network' by librsvg2-bin. The weights of \
      a checkpoint colour the edges of detail 'network'.
      """)

  @Argument(help: "A configuration (.yaml) or a checkpoint.") var path: String
  @OptionGroup var picture: PictureOptions
  @Option(name: .customLong("set"), help: "Overrides a key of the configuration: key.path=value.")
  var overrides: [String] = []
  @Option(help: "The extents of a sample, such as 784; the data of a configuration is not read.")
  var samples: String?
  @Option(help: "The number of responses per row, with --samples; labels without.")
  var responses: Int?
  @Option(help: "The rows that stand for a batch at detail 'scalar'.") var rows = 1

  func validate() throws {
    guard samples == nil || sampleShape != nil else {
      throw ValidationError(
        "--samples: found '\(samples ?? "")', expected positive extents such as 784")
    }
    guard responses == nil || samples != nil else {
      throw ValidationError("--responses goes with --samples")
    }
    guard (responses ?? 1) > 0 else {
      throw ValidationError("--responses: found \(responses ?? 0), expected a positive number")
    }
    guard (1...100).contains(rows) else {
      throw ValidationError("--rows: found \(rows), expected 1 to 100")
    }
    guard isConfiguration || (overrides.isEmpty && samples == nil) else {
      throw ValidationError("--set and --samples go with a configuration, not with a checkpoint")
    }
  }

  func run() throws {
    Job.onFirstProcess {
      var drawn = try drawnGraph()
      drawn.rowCount = rows
      try picture.write(drawn)
      return 0
    }
  }

  private var isConfiguration: Bool { path.hasSuffix(".yaml") || path.hasSuffix(".yml") }

  private var sampleShape: Shape? {
    let extents = (samples ?? "").split(separator: ",", omittingEmptySubsequences: false)
      .map { Int($0) ?? 0 }
    // The product of the extents must be a number too.
    var count = 1
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent > 0, !overflow else { return nil }
      count = product
    }
    return Shape(extents)
  }

  private func drawnGraph() throws -> DrawnGraph {
    guard isConfiguration else {
      let model = try TrainedModel(checkpoint: path)
      return DrawnGraph(
        model.network, parameters: model.parameters, showsGradient: picture.gradient)
    }
    // The data may be on another machine.
    let absent = ["data.train=none", "data.test=null", "data.validation=null"]
    let (configuration, _) = try readConfiguration(
      path, overrides: overrides + (samples == nil ? [] : absent))
    let shape: Shape
    let targets: Network.Targets
    if let sampleShape {
      (shape, targets) = (sampleShape, responses.map { .responses($0) } ?? .labels)
    } else {
      let splits = try Splits.open(configuration)
      (shape, targets) = (splits.sampleShape, splits.targets)
    }
    let network = try Network(
      layers: configuration.model, loss: configuration.loss, sampleShape: shape, targets: targets)
    return DrawnGraph(network, showsGradient: picture.gradient)
  }
}

extension DrawingError: ExitStatusProviding {
  /// 64 for what cannot be drawn so, 69 for a missing program, 70 for one that failed.
  public var exitStatus: Int32 {
    switch self {
    case .tooLarge, .notLayered, .noForm: ExitStatus.usage
    case .missingProgram: ExitStatus.unavailable
    case .programFailed: 70
    }
  }
}
