import ArgumentParser
import Expressions
import Foundation
import Graphs
import Training

/// `nndist check`.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract:
      "Compares the gradient of a model or an expression with central differences, in double precision.",
    discussion: """
      Every element is compared while they are few; beyond the budget a seeded sample of each \
      parameter, and all of it along random directions. The symbols of an expression get seeded random values. Status 0 if \
      all agree, 70 if not.
      """)

  @Argument(help: "The configuration (.yaml), or an expression.") var path: String
  @OptionGroup var symbols: SymbolOptions
  @Option(name: .customLong("set"), help: "Overrides a key of the configuration: key.path=value.")
  var overrides: [String] = []
  @Option(help: "The elements compared one by one, over all parameters.") var budget = 200
  @Option(help: "The random directions in which each parameter is compared.") var directions = 3
  @Option(help: "The seed of what is drawn.") var seed: UInt64 = 1
  @Option(help: "The rows of the data that the loss is computed of.") var rows = 4

  func validate() throws {
    for (name, value) in [("budget", budget), ("directions", directions), ("rows", rows)]
    where value < (name == "rows" ? 1 : 0) {
      throw ValidationError("--\(name): found \(value), expected a positive number")
    }
  }

  func run() throws {
    Job.onFirstProcess {
      let options = GradientCheckOptions(
        elementBudget: budget, directionCount: directions, seed: seed)
      let isConfiguration = path.hasSuffix(".yaml") || path.hasSuffix(".yml")
      let check =
        isConfiguration
        ? try ModelCheck.run(path, overrides: overrides, rowCount: rows, options: options)
        : try symbols.formula(path).checkGradient(batch: rows, options: options)
      var lines = [
        [
          isConfiguration ? "parameter" : "symbol", "shape", "compared", "directions", "at kinks",
          "worst error",
        ]
      ]
      for target in check.targets {
        lines.append([
          target.name, "\(target.shape)",
          "\(formatted(count: target.elements.count)) "
            + "(\(formatted(100 * target.share, digits: target.share < 0.01 ? 3 : 0)) %)",
          "\(target.directions.count)", "\(target.kinkCount)",
          target.worst.map { String(format: "%.1e", $0.relativeError) } ?? "-",
        ])
      }
      for line in table(lines, rightAligned: [2, 3, 4, 5]) { print(line) }
      if let (target, sample) = check.worst {
        let place = sample.element.map { "element \($0)" } ?? "a random direction"
        print(
          "worst: \(target.name), \(place): gradient \(sample.gradient), central difference "
            + "\(sample.difference)")
      }
      print(
        check.passes
          ? "gradients agree to \(check.tolerance)"
          : "gradients differ by more than \(check.tolerance)")
      return check.passes ? 0 : 70
    }
  }
}
