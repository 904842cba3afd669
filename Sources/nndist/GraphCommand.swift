public import ArgumentParser
public import Communication
public import Drawing
import Expressions
import Files
import Foundation
import Graphs
import Models
import NNDist
import Tensors
import Training

extension Detail: ExpressibleByArgument {}
extension Background: ExpressibleByArgument {}

/// The form in which a graph is written: complete text, or a picture.
enum GraphForm: String, CaseIterable, ExpressibleByArgument {
  case expression, latex, program, json
  case dot, svg, png, pdf, mermaid, text

  /// Finds the form by the extension of a file name.
  init?(ending: String) {
    switch ending.lowercased() {
    case "tex": self = .latex
    case "json": self = .json
    case "dot", "gv": self = .dot
    case "svg": self = .svg
    case "png": self = .png
    case "pdf": self = .pdf
    case "mmd", "mermaid": self = .mermaid
    case "txt": self = .text
    default: return nil
    }
  }

  /// The form of a picture; nil for complete text.
  var picture: PictureForm? { PictureForm(rawValue: rawValue) }
}

/// `nndist graph`.
struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph",
    abstract: "Shows the computation graph of an expression, a configuration or a checkpoint.",
    discussion: """
      An expression is written for one row of the batch: nndist graph '‖W*x + b − y‖^2' --shape \
      x=batch,784 --shape W=10,784 --shape b=10 --shape y=batch,10. '*' is the product of linear \
      algebra and has to be written (2*x, x1*θ1), '.*' goes element by element, x' is a transpose, θ[y] the \
      row that a label names. Letters side by side are one name; other names go between backquotes.

      As expression, latex, program or json it is text that says all of the graph. As dot, svg, png, \
      pdf, mermaid or text it is a picture, with as much detail as asked for: every number (scalar), \
      every array (tensor), the flow of data (operations), the layers, columns of circles joined by \
      weights (network), or one line (summary). Graphviz lays pictures out; at detail 'network' \
      librsvg2-bin makes PNG and PDF, and the weights of a checkpoint colour the edges.

      With --gradient the gradients of the sum of the value are shown too, one for each parameter.
      """)

  @Argument(
    help:
      "An expression, a file of one (.txt, or - for standard input), a configuration (.yaml), a checkpoint (.h5)."
  )
  var source: String
  @Option(
    name: .customLong("as"),
    help: """
      What is written; by default what the name of the output ends in, else text with --detail \
      and an expression without it.
      """)
  var form: GraphForm?
  @Option(
    help: "How much a picture shows (default: tensor for an expression, layers otherwise).")
  var detail: Detail?
  @Option(help: "The file to write; standard output without it.") var output: String?
  @Flag(help: "Adds the gradient with respect to every parameter.") var gradient = false
  @Option(help: "The paper of a picture (default: light).") var background: Background?
  @Option(help: "The rows that stand for a batch at detail 'scalar' (default: 1).") var rows: Int?
  @OptionGroup var symbols: SymbolOptions
  @Option(help: "The shape of a sample, such as 784 or 1,28,28, instead of reading the data.")
  var samples: String?
  @Option(help: "The number of responses per row, with --samples.") var responses: Int?
  @Option(name: .customLong("set"), help: "Overrides a key of the configuration: key.path=value.")
  var overrides: [String] = []

  /// The source of a graph.
  private enum Source { case expression, configuration, checkpoint }

  private var kind: Source {
    if source.hasSuffix(".h5") { return .checkpoint }
    return source.hasSuffix(".yaml") || source.hasSuffix(".yml") ? .configuration : .expression
  }

  private func chosenForm() throws -> GraphForm {
    if let form { return form }
    guard let output else { return detail == nil ? .expression : .text }
    guard let form = GraphForm(ending: URL(fileURLWithPath: output).pathExtension) else {
      throw ValidationError(
        "\(output): found no ending that names a form, expected --as with one of "
          + GraphForm.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return form
  }

  func validate() throws {
    let form = try chosenForm()
    func refuse(_ option: String, unless isUsed: Bool, _ place: String) throws {
      guard isUsed else { throw ValidationError("\(option) goes with \(place)") }
    }
    let isPicture = form.picture != nil
    let pictures = "a picture, not with --as \(form.rawValue)"
    try refuse("--detail", unless: detail == nil || isPicture, pictures)
    try refuse("--background", unless: background == nil || isPicture, pictures)
    try refuse(
      "--background", unless: background == nil || form != .text,
      "a picture that has colours, not with --as text")
    try refuse(
      "--gradient", unless: !gradient || detail != .network,
      "--detail scalar, tensor, operations, layers or summary, not with network")
    try refuse("--rows", unless: rows == nil || detail == .scalar, "--detail scalar")
    try refuse("--shape", unless: symbols.shapes.isEmpty || kind == .expression, "an expression")
    try refuse(
      "--parameters", unless: symbols.parameters == nil || kind == .expression, "an expression")
    try refuse("--set", unless: overrides.isEmpty || kind == .configuration, "a configuration")
    try refuse("--samples", unless: samples == nil || kind == .configuration, "a configuration")
    try refuse("--responses", unless: responses == nil || samples != nil, "--samples")
    guard samples == nil || sampleShape != nil else {
      throw ValidationError(
        "--samples: found '\(samples ?? "")', expected positive extents such as 784")
    }
    guard (responses ?? 1) > 0 else {
      throw ValidationError("--responses: found \(responses ?? 0), expected a positive number")
    }
    guard (1...100).contains(rows ?? 1) else {
      throw ValidationError("--rows: found \(rows ?? 0), expected 1 to 100")
    }
    try requireApart(output, option: "--output", from: [("the source", source)])
    guard output != nil || (form != .png && form != .pdf) || isatty(STDOUT_FILENO) == 0 else {
      throw ValidationError("--as \(form.rawValue) on a terminal, expected --output FILE")
    }
  }

  func run() throws {
    Job.onFirstProcess(self) {
      let bytes = try written(as: try chosenForm())
      if let output {
        try replaceFile(at: output, with: bytes, isDurable: false)
      } else {
        Output.write(bytes)
      }
      return 0
    }
  }

  private func written(as form: GraphForm) throws -> [UInt8] {
    guard let picture = form.picture else {
      return Array((try text(try formula(), form) + "\n").utf8)
    }
    var drawn = try drawnGraph()
    drawn.rowCount = rows ?? 1
    return try drawn.picture(
      as: picture, detail: detail ?? (kind == .expression ? .tensor : .layers),
      background: background ?? .light)
  }

  private var sampleShape: Shape? {
    let extents = (samples ?? "").split(separator: ",", omittingEmptySubsequences: false)
      .map { Int($0) ?? 0 }
    // The product of the extents must not overflow either.
    var count = 1
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard extent > 0, !overflow else { return nil }
      count = product
    }
    return Shape(extents)
  }

  private func network() throws -> Network {
    try configuredNetwork(
      source, overrides: overrides, sampleShape: sampleShape, responses: responses)
  }

  private func formula() throws -> Formula {
    let network: Network
    switch kind {
    case .expression: return try symbols.formula(source)
    case .checkpoint: network = try TrainedModel(checkpoint: source).network
    case .configuration: network = try self.network()
    }
    return Formula(of: [network.loss], in: network.graph)
  }

  private func drawnGraph() throws -> DrawnGraph {
    switch kind {
    case .expression:
      let formula = try symbols.formula(source)
      guard gradient else { return DrawnGraph(formula.graph, results: formula.outputs) }
      let both = try differentiated(formula)
      let pairs = zip(both.outputs.dropFirst(), formula.parameters).compactMap { node, name in
        both.graph.leaf(named: name).map { (gradient: node, of: $0) }
      }
      return DrawnGraph(both.graph, results: [both.outputs[0]], gradients: pairs)
    case .configuration: return DrawnGraph(try network(), showsGradient: gradient)
    case .checkpoint:
      let model = try TrainedModel(checkpoint: source)
      return DrawnGraph(model.network, parameters: model.parameters, showsGradient: gradient)
    }
  }

  /// The value and its gradients.
  private func differentiated(_ formula: Formula) throws -> Formula {
    guard formula.outputs.count == 1 else {
      throw UsageError(text: "--gradient: found \(formula.outputs.count) values, expected one")
    }
    guard !formula.parameters.isEmpty else {
      throw UsageError(text: "--gradient: found no parameters; name them with --parameters")
    }
    return try formula.withGradient()
  }

  private func text(_ formula: Formula, _ form: GraphForm) throws -> String {
    let both = gradient ? try differentiated(formula) : formula
    let names = gradient ? ["value"] + formula.parameters.map { "gradient of \($0)" } : []
    switch form {
    case .latex:
      let symbols = formula.parameters.map {
        "\\frac{\\partial L}{\\partial \(Formula.latex($0))}"
      }
      return both.text(.latex, naming: gradient ? ["L"] + symbols : [])
    case .program:
      guard gradient else { return both.program() }
      return both.program(forwardCount: both.outputs[0].index + 1, naming: names)
    case .json: return both.json(naming: names)
    case .expression, .dot, .svg, .png, .pdf, .mermaid, .text: return both.text(naming: names)
    }
  }
}

/// The options that describe the symbols of an expression.
struct SymbolOptions: ParsableArguments {
  @Option(
    name: .customLong("shape"), help: "The shape of a symbol: x=batch,784 (default: a number).")
  var shapes: [String] = []
  @Option(
    help: "The parameters: θ1,θ2 (default: Greek names and names that begin with W or b).")
  var parameters: String?

  /// Reads an expression, from a file if the text ends in `.txt`, from standard input if it is `-`.
  func formula(_ text: String) throws -> Formula {
    var text = text
    if text == "-" {
      text = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    } else if text.hasSuffix(".txt") {
      do {
        text = String(decoding: try readFile(text), as: UTF8.self)
      } catch {
        throw UsageError(text: error.description)
      }
    }
    do {
      return try Formula(text, Declarations(shapes: shapes, parameters: parameters))
    } catch {
      throw UsageError(text: error.description)
    }
  }
}

/// An option or an expression that cannot be read.
struct UsageError: Error, ExitStatusProviding, CustomStringConvertible {
  let text: String
  var exitStatus: Int32 { ExitStatus.usage }
  var description: String { text }
}

extension DrawingError: ExitStatusProviding {
  /// The status: 64 for an unsuitable graph or form, 69 for a missing program, 70 for one that failed.
  public var exitStatus: Int32 {
    switch self {
    case .tooLarge, .notLayered, .noForm: ExitStatus.usage
    case .missingProgram: ExitStatus.unavailable
    case .programFailed: 70
    }
  }
}
