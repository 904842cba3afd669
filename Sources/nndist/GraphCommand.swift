import ArgumentParser
import Communication
import Expressions
import Foundation
import Graphs
import Models
import Tensors
import Training

/// How a graph is written.
enum GraphNotation: String, CaseIterable, ExpressibleByArgument {
  case expression, latex, program, json
}

/// `nndist graph`.
struct GraphCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "graph",
    abstract: "Shows the computation graph of an expression, a configuration or a checkpoint.",
    discussion: """
      An expression is written for one row of the batch: nndist graph '‖W*x + b − y‖^2' --shape \
      x=batch,784 --shape W=10,784 --shape b=10 --shape y=batch,10. '*' is the product of linear \
      algebra, '.*' goes element by element, x' is a transpose, θ[y] the row that a label names.

      With --gradient the gradients of the sum of the value follow it, one for each parameter.
      """)

  @Argument(
    help:
      "An expression, a file of one (.txt, or - for standard input), a configuration (.yaml), a checkpoint (.h5)."
  )
  var source: String
  @OptionGroup var symbols: SymbolOptions
  @Flag(help: "Adds the gradient with respect to every parameter.") var gradient = false
  @Option(name: .customLong("as"), help: "expression, latex, program or json.")
  var notation = GraphNotation.expression
  @Option(help: "The file to write; standard output without it.") var output: String?
  @Option(help: "The shape of a sample, such as 784 or 1,28,28, instead of reading the data.")
  var samples: String?
  @Option(name: .customLong("set"), help: "Overrides a key of the configuration: key.path=value.")
  var overrides: [String] = []

  func run() throws {
    Job.onFirstProcess {
      let text = try written(try formula())
      if let output {
        do {
          try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: output))
        } catch {
          printError("\(output): \(error.localizedDescription)")
          return ExitStatus.input
        }
      } else {
        print(text)
      }
      return 0
    }
  }

  private func formula() throws -> Formula {
    let isCheckpoint = source.hasSuffix(".h5")
    guard isCheckpoint || source.hasSuffix(".yaml") || source.hasSuffix(".yml") else {
      return try symbols.formula(source)
    }
    let network: Network
    if isCheckpoint {
      network = try TrainedModel(checkpoint: source).network
    } else {
      network = try configuredNetwork(source, overrides: overrides, sampleShape: sampleShape())
    }
    return Formula(of: [network.loss], in: network.graph)
  }

  private func sampleShape() throws -> Shape? {
    guard let samples else { return nil }
    let extents = samples.split(separator: ",", omittingEmptySubsequences: false).map {
      Int($0) ?? 0
    }
    guard extents.allSatisfy({ $0 > 0 }) else {
      throw UsageError(text: "--samples: found '\(samples)', expected extents such as 784")
    }
    return Shape(extents)
  }

  private func written(_ formula: Formula) throws -> String {
    guard gradient else {
      return switch notation {
      case .expression: formula.text()
      case .latex: formula.text(.latex)
      case .program: formula.program()
      case .json: formula.json()
      }
    }
    guard formula.outputs.count == 1 else {
      throw UsageError(text: "--gradient: found \(formula.outputs.count) values, expected one")
    }
    guard !formula.parameters.isEmpty else {
      throw UsageError(text: "--gradient: found no parameters; name them with --parameters")
    }
    let both = try formula.withGradient()
    let names = ["value"] + formula.parameters.map { "gradient of \($0)" }
    return switch notation {
    case .expression: both.text(naming: names)
    case .latex:
      both.text(
        .latex,
        naming: ["L"]
          + formula.parameters.map { "\\frac{\\partial L}{\\partial \(Formula.latex($0))}" })
    case .program:
      both.program(forwardCount: both.outputs[0].index + 1, naming: names)
    case .json: both.json(naming: names)
    }
  }
}

/// What is said about the symbols of an expression.
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
      guard let data = FileManager.default.contents(atPath: text) else {
        throw UsageError(text: "\(text): no such file, or it cannot be read")
      }
      text = String(decoding: data, as: UTF8.self)
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
