import CPUBackend
import Execution
import Foundation
import Graphs
import Models
import Tensors
import TestSupport
import Testing

/// Activations and losses where numbers are small, large, or nearly cancel, as plans compute them in `Float` and the
/// interpreter in `Double`.
@Suite("Numbers at the edges")
struct EdgeTests {
  /// An activation, its exact value, and its slope.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let activation: Layer.Activation
    let exact: @Sendable (Double) -> Double
    let slope: @Sendable (Double) -> Double

    init(
      _ name: String, _ activation: Layer.Activation,
      _ exact: @escaping @Sendable (Double) -> Double,
      slope: @escaping @Sendable (Double) -> Double
    ) {
      (testDescription, self.activation, self.exact, self.slope) = (name, activation, exact, slope)
    }
  }

  private static let points: [Float] = [
    -3e38, -0x1p25, -0x1p24, -100, -88, -50, -20, -5, -3, -2.9999998, -1, -1e-3, -1e-7, -1e-20, 0,
    1e-20, 1e-7, 1e-3, 1, 2.999999, 3, 5, 20, 100, 0x1p24, 0x1.000002p24, 0x1p25, 3e38,
  ]

  static let cases: [Case] = [
    Case("softplus", .softplus, { softplus($0) }, slope: { sigmoid($0) }),
    Case("elu", .elu(alpha: 1), { $0 > 0 ? $0 : expm1($0) }, slope: { $0 > 0 ? 1 : exp($0) }),
    Case(
      "elu of 0.5", .elu(alpha: 0.5), { $0 > 0 ? $0 : 0.5 * expm1($0) },
      slope: { $0 > 0 ? 1 : 0.5 * exp($0) }),
    Case(
      "hard sigmoid", .hardSigmoid, { min(max($0 + 3, 0), 6) / 6 },
      slope: { abs($0) < 3 ? 1 / 6.0 : 0 }),
    Case(
      "hard swish", .hardSwish, { $0 * (min(max($0 + 3, 0), 6) / 6) },
      slope: { $0 <= -3 ? 0 : $0 >= 3 ? 1 : $0 / 3 + 0.5 }),
    Case("silu", .silu, { $0 * sigmoid($0) }, slope: { sigmoid($0) * (1 + $0 * sigmoid(-$0)) }),
  ]

  @Test("activations are right from the smallest numbers to the largest", arguments: cases)
  func activations(_ test: Case) throws {
    let network = try Network(
      layers: [.activation(test.activation)], loss: .squaredNorm, sampleShape: [1],
      targets: .responses(1))
    let (values, slopes) = try run(network, network.prediction, EdgeTests.points.map { [$0, 0] })
    for (index, x) in EdgeTests.points.enumerated() {
      let x = Double(x)
      // A product with a denormal number has that number's few digits.
      #expect(
        isNear(values.found[index], test.exact(x), floor: test.activation == .silu ? 1e-36 : 0),
        "\(x): \(values.found[index])")
      // Products of slopes and numbers may cancel: near the least value of silu they do.
      #expect(
        isNear(slopes.found[index], test.slope(x), floor: test.activation == .silu ? 1e-4 : 0),
        "slope at \(x): \(slopes.found[index]), not \(test.slope(x))")
      #expect(
        relativeError(values.interpreted[index], test.exact(x)) < 1e-14,
        "\(x): \(values.interpreted[index])")
    }
  }

  @Test("hard sigmoid stays within 0 and 1, and what is not a number stays so")
  func limits() throws {
    for activation in [Layer.Activation.hardSigmoid, .hardSwish, .softplus, .elu(alpha: 1)] {
      let network = try Network(
        layers: [.activation(activation)], loss: .squaredNorm, sampleShape: [1],
        targets: .responses(1))
      let points = (0..<2000).map { Float($0) * 0.013 - 13 } + [.infinity, .nan]
      let (values, _) = try run(network, network.prediction, points.map { [$0, 0] })
      #expect(values.found[2001].isNaN && values.interpreted[2001].isNaN)
      if activation == .hardSigmoid {
        #expect(values.found.dropLast().allSatisfy { (0...1).contains($0) })
        #expect(values.found[2000] == 1)
      }
    }
  }

  @Test("binary cross-entropy keeps its digits where predictions are nearly sure")
  func binaryCrossEntropy() throws {
    let network = try Network(
      layers: [Layer(.flatten)], loss: .binaryCrossEntropy, sampleShape: [1],
      targets: .responses(1))
    let rows = EdgeTests.points.flatMap { z in [0, 0.25, 1].map { [z, Float($0)] } }
    let (losses, slopes) = try run(network, network.loss, rows)
    for (index, row) in rows.enumerated() {
      let (z, t) = (Double(row[0]), Double(row[1]))
      let loss = (1 - t) * softplus(z) + t * softplus(-z)
      let slope = (1 - t) * sigmoid(z) - t * sigmoid(-z)
      #expect(isNear(losses.found[index], loss), "\(row): \(losses.found[index]), not \(loss)")
      // Between 0 and 1 the two terms cancel where the prediction is right.
      #expect(
        isNear(slopes.found[index], slope, floor: t == 0.25 ? 0.25 : 0),
        "\(row): \(slopes.found[index]), not \(slope)")
      #expect(relativeError(losses.interpreted[index], loss) < 1e-14, "\(row)")
      #expect(relativeError(slopes.interpreted[index], slope) < 1e-14, "\(row)")
    }
  }

  /// The values of a node for rows of a sample and a response, and their slopes in the sample.
  private func run(
    _ network: Network, _ node: Graph.Node, _ rows: [[Float]]
  ) throws -> (
    values: (found: [Float], interpreted: [Double]), slopes: (found: [Float], interpreted: [Double])
  ) {
    var graph = network.graph
    let samples = try #require(graph.leaf(named: Network.samplesName))
    let slope = try graph.gradient(of: node, withRespectTo: [samples])[0]
    let plan = try Plan(
      graph, batch: rows.count, values: [node, slope], layout: FlatLayout([]),
      workspace: CPU().makeWorkspace())
    var inputs: [String: Tensor] = [:]
    for (name, column) in [(Network.samplesName, 0), (Network.targetsName, 1)] {
      inputs[name] = Tensor(shape: [rows.count, 1], values: rows.map { Double($0[column]) })
      guard let data = plan.data(name) else { continue }
      for (index, row) in rows.enumerated() { data[index] = row[column] }
    }
    let none = FloatBuffer(count: 0)
    plan.run(parameters: none.pointer, gradient: none.pointer)
    let interpreted = try graph.evaluate([node, slope], with: inputs)
    func found(_ node: Graph.Node) -> [Float] {
      let pointer = plan.value(of: node)
      return rows.indices.map { pointer[$0] }
    }
    return (
      (found(node), interpreted[0].values), (found(slope), interpreted[1].values)
    )
  }

  /// Returns whether a number is right to 6 units in the last place.
  private func isNear(_ found: Float, _ exact: Double, floor: Double = 0) -> Bool {
    let ulp = max(Double(Float(exact).ulp), floor * Double(Float.ulpOfOne))
    return abs(Double(found) - exact) <= 6 * ulp
  }

  private func relativeError(_ found: Double, _ exact: Double) -> Double {
    found == exact ? 0 : abs(found - exact) / max(abs(exact), 1e-300)
  }
}

private func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }

private func sigmoid(_ x: Double) -> Double {
  x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x))
}
