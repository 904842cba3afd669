import Kernels
import Numerics
import Testing

/// Expected values: Tests/Reference/kernels.py, three steps of PyTorch.
@Suite("Updates")
struct UpdateTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let update: @Sendable (inout Run) -> Void
    let expected: [Float]

    init(_ name: String, _ update: @escaping @Sendable (inout Run) -> Void, _ expected: [Float]) {
      (testDescription, self.update, self.expected) = (name, update, expected)
    }
  }

  static let cases: [Case] = [
    Case(
      "SGD", { $0.sgd(momentum: nil) },
      [
        -0.9468749, 0.54062504, -0.309375, 1.1781251, 0.328125, -0.52187496, 0.9656249,
        0.11562501, -0.734375, 0.753125, -0.096875004,
      ]),
    Case(
      "SGD, weight decay", { $0.sgd(momentum: nil, decay: 0.01) },
      [
        -0.943619, 0.53881127, -0.30829173, 1.1741384, 0.3270355, -0.52006745, 0.96236265,
        0.115259744, -0.73184323, 0.7505869, -0.096516,
      ]),
    Case(
      "momentum", { $0.sgd(momentum: 0.9) },
      [
        -0.8453437, 0.48859373, -0.27365625, 1.0602813, 0.29803124, -0.46421877, 0.8697188,
        0.107468754, -0.6547813, 0.67915624, -0.08309375,
      ]),
    Case(
      "momentum, weight decay", { $0.sgd(momentum: 0.9, decay: 0.01) },
      [
        -0.8392041, 0.485178, -0.27161178, 1.0527704, 0.29598054, -0.4608092, 0.86357284,
        0.1067831, -0.65000665, 0.6743754, -0.082414344,
      ]),
    Case(
      "Nesterov", { $0.sgd(momentum: 0.9, nesterov: true) },
      [
        -0.6951844, 0.41785938, -0.21816564, 0.89487815, 0.25885314, -0.3771718, 0.7358719,
        0.09984688, -0.5361781, 0.5768656, -0.059159372,
      ]),
    Case(
      "Adam", { $0.adam() },
      [
        -1.0958834, 0.5955509, -0.34609914, 1.3456708, 0.345402, -0.595972, 1.0956488,
        0.095000006, -0.8459154, 0.8456141, -0.09663172,
      ]),
    Case(
      "Adam, weight decay", { $0.adam(decay: 0.1) },
      [
        -1.095541, 0.59529144, -0.3457094, 1.3453803, 0.3451867, -0.59560907, 1.0953639,
        0.095024765, -0.84556544, 0.8453378, -0.096165486,
      ]),
    Case(
      "AdamW", { $0.adam(0.8, 0.95, epsilon: 1e-6, decay: 0.1, decoupled: true) },
      [
        -1.0921918, 0.59341836, -0.3446212, 1.3412675, 0.3440504, -0.59376466, 1.0919988,
        0.094656326, -0.842968, 0.8427199, -0.09582814,
      ]),
  ]

  @Test("take the steps of PyTorch", arguments: cases)
  func reference(_ test: Case) {
    for offset in [0, 3] {
      var run = Run(count: 19, offset: offset)
      for _ in 1...3 { test.update(&run) }
      for (i, value) in run.parameters.values.enumerated() {
        #expect(abs(value - test.expected[i % 11]) <= 2e-7, "element \(i)")
      }
      #expect(run.isIntact)
    }
  }

  @Test("give an element the same bits at any count and alignment", arguments: cases)
  func elementsAreAlone(_ test: Case) {
    var bits: [[UInt32]] = []
    for (count, offset) in [(53, 0), (53, 1), (16, 2), (15, 3), (1, 0), (33, 9)] {
      var run = Run(count: count, offset: offset)
      for _ in 1...3 { test.update(&run) }
      bits.append(run.parameters.bits)
      #expect(run.isIntact)
    }
    for other in bits { #expect(other == Array(bits[0][..<other.count])) }
  }

  /// The vectors of an optimiser and the gradients of the script.
  struct Run {
    let parameters: Vector
    private let first: Vector
    private let second: Vector
    private var step = 0

    init(count: Int, offset: Int) {
      parameters = Vector(Run.vector(count, scale: 0.25, 0.125), offset: offset)
      first = Vector(count: count, offset: offset + 1)
      second = Vector(count: count, offset: offset + 2)
    }

    var isIntact: Bool { parameters.isIntact && first.isIntact && second.isIntact }

    mutating func sgd(momentum: Double?, nesterov: Bool = false, decay: Double = 0) {
      Update.sgd(
        parameters: parameters.pointer, gradient: nextGradient().pointer,
        momentum: momentum == nil ? nil : first.pointer, count: parameters.count,
        momentumFactor: momentum ?? 0, nesterov: nesterov,
        UpdateFactors(learningRate: 0.1, weightDecay: decay, gradientScale: 0.25))
    }

    mutating func adam(
      _ beta1: Double = 0.9, _ beta2: Double = 0.999, epsilon: Double = 1e-8, decay: Double = 0,
      decoupled: Bool = false
    ) {
      let gradient = nextGradient()
      Update.adam(
        parameters: parameters.pointer, gradient: gradient.pointer, first: first.pointer,
        second: second.pointer, count: parameters.count,
        moments: AdamMoments(step: step, beta1: beta1, beta2: beta2, epsilon: epsilon),
        decoupled: decoupled,
        UpdateFactors(learningRate: 0.01, weightDecay: decay, gradientScale: 0.25))
    }

    /// Four times the gradient of the script, as a sum over four rows would be.
    private mutating func nextGradient() -> Vector {
      step += 1
      return Vector(
        Run.vector(parameters.count, scale: 0.0625 * Float(step), 0.03125).map { 4 * $0 })
    }

    private static func vector(_ count: Int, scale: Float, _ offset: Float) -> [Float] {
      (0..<count).map { scale * Float(($0 * 7) % 11 - 5) + offset }
    }
  }
}
