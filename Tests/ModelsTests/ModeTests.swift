// Layers that compute something else in training than in evaluation.
import CPUBackend
import Execution
import Graphs
import Models
import Numerics
import Tensors
import TestSupport
import Testing

@Suite("Training and evaluation")
struct ModeTests {
  private func network(_ layers: [Layer], _ sampleShape: Shape = [2, 5, 3]) throws -> Network {
    try Network(
      layers: layers, loss: .softmaxCrossEntropy, sampleShape: sampleShape, targets: .labels)
  }

  /// A value for every leaf.
  private func values(_ network: Network, rows: Int) -> [String: Tensor] {
    var numbers = TestNumbers("modes")
    var values = [
      Network.samplesName: numbers.tensor(Shape([rows] + network.sampleShape.extents)),
      Network.targetsName: Tensor(
        shape: [rows], values: (0..<rows).map { Double($0 % network.outputCount) }),
    ]
    for parameter in network.parameters { values[parameter.name] = numbers.tensor(parameter.shape) }
    return values
  }

  private let dropping: [Layer] = [
    Layer(.dropout(rate: 0.25), name: "first"),
    Layer(
      .convolution(channels: 3, window: Layer.SlidingWindow(axisCount: 2, kernel: [2]))),
    .activation(.relu), Layer(.dropout(rate: 0.5)), .affine(7), .activation(.tanh),
    Layer(.dropout(rate: 0.75)), .affine(3),
  ]

  @Test("are one graph where no layer knows the difference")
  func oneGraph() throws {
    let network = try network([.affine(3), Layer(.dropout(rate: 0)), .affine(3)])
    #expect(network.evaluation.prediction == network.prediction)
    #expect(network.evaluation.graph.count == network.graph.count)
  }

  @Test("dropout is a mask in training and nothing in evaluation")
  func dropout() throws {
    let network = try network([.affine(300), Layer(.dropout(rate: 0.4))], [4])
    let values = values(network, rows: 6)
    let plain = try network.evaluation.graph.evaluate(
      [network.evaluation.prediction], with: values)[0].values
    for step in 1...2 {
      let dropped = try network.graph.evaluate(
        [network.prediction], with: values, draws: Draws(seed: 3, step: step))[0].values
      for (found, value) in zip(dropped, plain) {
        #expect(found == 0 || isClose(found, value / 0.6, tolerance: 1e-12))
      }
      let share = Double(dropped.count { $0 == 0 }) / 1800
      #expect(abs(share - 0.4) < 0.05)
    }
  }

  @Test("masks in the plan are those of the interpreter, whatever the layout", arguments: [1, 4])
  func plan(rows: Int) throws {
    let network = try network(dropping)
    let values = values(network, rows: rows)
    let layout = network.layout
    let plan = try Plan(
      network.graph, batch: rows, values: [network.loss],
      gradients: zip(network.parameters, network.gradients).map { ($0.name, $1) }, layout: layout,
      workspace: CPU().makeWorkspace())
    let (parameters, gradient) = (
      FloatBuffer(count: layout.count), FloatBuffer(count: layout.count)
    )
    for range in layout.ranges {
      for (offset, value) in (values[range.name]?.values ?? []).enumerated() {
        parameters.pointer[range.offset + offset] = Float(value)
      }
    }
    for (index, value) in (values[Network.samplesName]?.values ?? []).enumerated() {
      plan.data(Network.samplesName)?[index] = Float(value)
    }
    for row in 0..<rows { plan.labels(Network.targetsName)?[row] = Int32(row % 3) }
    for step in [1, 1_000_000] {
      let draws = Draws(seed: 1 << 40, step: step, firstRow: 77)
      plan.run(parameters: parameters.pointer, gradient: gradient.pointer, draws: draws)
      let expected = try network.graph.evaluate(
        [network.loss] + network.gradients, with: values, draws: draws)
      for row in 0..<rows {
        #expect(abs(Double(plan.value(of: network.loss)[row]) - expected[0].values[row]) < 1e-5)
      }
      for (parameter, tensor) in zip(network.parameters, expected.dropFirst()) {
        let range = try #require(layout[parameter.name])
        for (index, value) in zip(range.indices, tensor.values) {
          #expect(abs(Double(gradient.pointer[index]) - value) < 1e-5, "\(parameter.name)")
        }
      }
    }
  }

  @Test("dropout has the derivatives of central differences")
  func derivatives() throws {
    let network = try network(dropping)
    let samples = try #require(network.graph.leaf(named: Network.samplesName))
    let check = try network.graph.checkDerivatives(
      of: network.loss, withRespectTo: network.parameters.map(\.node) + [samples],
      at: values(network, rows: 3))
    #expect(check.passes)
  }
}
