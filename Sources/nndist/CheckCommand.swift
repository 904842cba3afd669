import ArgumentParser
import Expressions
import Foundation
import Graphs
import Training

/// `nndist check`.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks the derivatives of a model or an expression, in double precision.",
    discussion: """
      The gradient with respect to every parameter and input is compared with central differences: every \
      element while they are few; beyond the budget a seeded sample of each, and all of it along random \
      directions. Reverse mode is compared with forward mode (Jacobian-vector with vector-Jacobian \
      products), and the gradient of the gradient with central differences and with its own symmetry. \
      The symbols of an expression get seeded random values. Status 0 if all agree, 70 if not.
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

  @Flag(
    name: .customLong("against-jacobians"),
    help: "Also multiplies the whole Jacobian of every operation, from the left.")
  var usesJacobians = false

  func run() throws {
    Job.onFirstProcess(self) {
      let options = GradientCheckOptions(
        elementBudget: budget, directionCount: directions, seed: seed)
      let isConfiguration = path.hasSuffix(".yaml") || path.hasSuffix(".yml")
      let check: DerivativeCheck
      if isConfiguration {
        check = try ModelCheck.run(
          path, overrides: overrides, rowCount: rows, options: options,
          usesJacobians: usesJacobians)
        print("at the initial parameters and the first \(counted(rows, "row")) of the data")
      } else {
        let isPositive: Bool
        (check, isPositive) = try symbols.formula(path).checkDerivatives(
          batch: rows, options: options, usesJacobians: usesJacobians)
        print(
          isPositive
            ? "at random values from 0.5 to 1.5, since normal ones give no finite number"
            : "at random values from the normal distribution")
      }
      printGradient(check.gradient, of: isConfiguration ? "parameter or input" : "symbol")
      printRest(check)
      print(check.passes ? "derivatives agree" : "derivatives differ")
      return check.passes ? 0 : 70
    }
  }

  private func printGradient(_ check: GradientCheck, of what: String) {
    var lines = [[what, "shape", "compared", "directions", "at kinks", "worst error"]]
    for target in check.targets {
      lines.append([
        target.name, "\(target.shape)",
        "\(formatted(count: target.elements.count)) "
          + "(\(formatted(100 * target.share, digits: target.share < 0.01 ? 3 : 0)) %)",
        "\(target.directions.count)", "\(target.kinkCount)",
        target.worst.map { shown($0.relativeError) } ?? "-",
      ])
    }
    for line in table(lines, rightAligned: [2, 3, 4, 5]) { print(line) }
    if let (target, sample) = check.worst {
      let place = sample.element.map { "element \($0)" } ?? "a random direction"
      print(
        "worst: \(target.name), \(place): gradient \(formatted(sample.gradient)), central difference "
          + formatted(sample.difference))
    }
    print(
      check.passes
        ? "gradients agree with central differences to \(check.tolerance)"
        : "gradients differ from central differences by more than \(check.tolerance)")
  }

  private func printRest(_ check: DerivativeCheck) {
    let second = check.second.worst.map { "\(shown($0.sample.relativeError)) (\($0.target.name))" }
    var lines = [["derivative", "against", "worst error", "agrees"]]
    func add(_ what: String, _ against: String, _ agreements: [Agreement]) {
      let worst = agreements.max { $0.relativeError < $1.relativeError }
      let error = worst?.relativeError ?? 0
      lines.append([
        what, against,
        worst.map { shown($0.relativeError) + (agreements.count > 1 ? " (\($0.name))" : "") }
          ?? "-",
        error <= DerivativeCheck.tolerance ? "yes" : "NO",
      ])
    }
    add("Jacobian-vector products", "vector-Jacobian products", check.products)
    lines.append([
      "gradient of gradient", "central differences", second ?? "all at kinks",
      check.second.passes ? "yes" : "NO",
    ])
    add("gradient of gradient", "its transpose", check.symmetry)
    if let jacobians = check.jacobians { add("gradient", "product of whole Jacobians", jacobians) }
    for line in table(lines, rightAligned: []) { print(line) }
  }

  private func shown(_ error: Double) -> String { String(format: "%.1e", error) }
}
