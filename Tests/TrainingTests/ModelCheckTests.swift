import Datasets
import Graphs
import Models
import TestSupport
import Testing
import Training

@Suite("Check and notices of models")
struct ModelCheckTests {
  /// Models whose derivatives are right, though central differences and rounding make them hard to compare: relus
  /// in numbers, and derivatives that cancel behind a normalisation by almost nothing.
  static let models = [
    """
      - conv2d: { channels: 4, kernel: 3, padding: 1 }
      - instance_norm
      - conv2d: { channels: 4, kernel: 2, padding: 1 }
      - global_avg_pool
      - affine: 16
      - batch_norm
      - silu
      - affine: 10
    """,
    """
      - batch_norm
      - elu
      - conv2d: { channels: 6, kernel: 2, padding: 1 }
      - hard_sigmoid
      - conv_transpose2d: { channels: 4, kernel: 3, padding: 1 }
      - relu
      - conv2d: { channels: 8, kernel: 3, padding: 1 }
      - relu
      - conv2d: { channels: 6, kernel: 2, padding: 1 }
      - instance_norm
      - global_avg_pool
      - affine: 8
      - batch_norm
      - elu
      - affine: 10
    """,
    """
      - conv2d: { channels: 8, kernel: 3, padding: 1 }
      - batch_norm
      - relu
      - max_pool2d: { kernel: 2, stride: 1 }
      - conv2d: { channels: 8, kernel: 3, padding: 1 }
      - batch_norm
      - relu
      - affine: 10
    """,
  ]

  @Test("derivatives of deep models agree", arguments: models, [42 as UInt64, 12])
  func derivatives(model: String, seed: UInt64) throws {
    let folder = try RunFolder()
    let path = try folder.write(
      "data: { train: \(bundled("digits")) }\nmodel:\n\(model)\nseed: \(seed)\n")
    let check = try ModelCheck.run(
      path, overrides: [], rowCount: 3, options: GradientCheckOptions(elementBudget: 40))
    #expect(check.passes)
    // Hardly anything is left out.
    let samples = check.gradient.targets.flatMap { $0.elements + $0.directions }
    #expect(samples.count { $0.isAtKink } * 5 < samples.count)
  }

  private func notices(_ model: String, _ data: String = "iris", loss: String? = nil) throws
    -> [String]
  {
    let folder = try RunFolder()
    if data == "chances" {
      let writer = try DatasetWriter(
        path: folder.path("chances.h5"),
        arrays: [
          .init(name: "samples", type: .float32, shape: [40, 3]),
          .init(name: "responses", type: .float32, shape: [40, 1]),
        ])
      try writer.append((0..<120).map { Float($0 * 7919 % 251) / 251 }, to: "samples")
      try writer.append((0..<40).map { Float($0 % 2) }, to: "responses")
      try writer.finish()
    }
    let file = data == "chances" ? folder.path("chances.h5") : bundled(data)
    let path = try folder.write(
      """
      data: { train: \(file) }
      model: \(model)
      batch_size: 20
      microbatches: 1
      epochs: 1
      """ + (loss.map { "\nloss: \($0)" } ?? ""))
    return try folder.train(path, isDryRun: true).session.notices
      .filter { $0.hasPrefix("model:") }
  }

  @Test("the last activation before a loss that applies it itself is noticed, by name")
  func finalActivation() throws {
    func notice(_ layer: String, _ loss: String, _ applied: String) -> String {
      "model: '\(layer)' comes before \(loss), which takes logits and applies \(applied) itself; "
        + "leave the layer out"
    }
    for word in ["softmax", "log_softmax", "sigmoid"] {
      #expect(
        try notices("[affine: 8, relu, affine: 3, \(word)]")
          == [notice("\(word)1", "softmax_cross_entropy", "softmax")])
    }
    #expect(
      try notices(
        "[affine: 3, softmax, dropout: 0.5]",
        loss: "{ softmax_cross_entropy: { label_smoothing: 0.1 } }")
        == [notice("softmax1", "softmax_cross_entropy", "softmax")])
    #expect(
      try notices("[affine: 1, sigmoid]", "chances", loss: "binary_cross_entropy")
        == [notice("sigmoid1", "binary_cross_entropy", "sigmoid")])
    // Responses that are no probabilities are refused.
    #expect(throws: (any Error).self) {
      try notices("[affine: 1]", "diabetes", loss: "binary_cross_entropy")
    }
    #expect(try notices("[affine: 8, softmax, affine: 3]") == [])
    #expect(
      try notices("[affine: 8, sigmoid, affine: 1, sigmoid]", "diabetes", loss: "huber") == [])
    #expect(try notices("[affine: 8, sigmoid, affine: 3]") == [])
  }

  @Test("more outputs than classes are noticed, with how many would do")
  func spareOutputs() throws {
    #expect(
      try notices("[affine: 8, relu, affine: 5]") == [
        "model: 5 outputs, but the data have 3 classes, 0 to 2; make the last layer of 3 units"
      ])
  }
}
