import Execution
import Kernels
import Models
import Tensors

/// What is summed over the rows of a microbatch besides the gradient.
struct MicrobatchSums: AdditiveArithmetic, Sendable {
  /// The loss, added row by row.
  var loss: Double = 0
  /// The weights of the rows.
  var weight: Double = 0
  /// The rows whose largest output is that of the label.
  var correct: Int = 0

  static let zero = MicrobatchSums()

  static func + (lhs: MicrobatchSums, rhs: MicrobatchSums) -> MicrobatchSums {
    MicrobatchSums(
      loss: lhs.loss + rhs.loss, weight: lhs.weight + rhs.weight,
      correct: lhs.correct + rhs.correct)
  }

  static func - (lhs: MicrobatchSums, rhs: MicrobatchSums) -> MicrobatchSums {
    MicrobatchSums(
      loss: lhs.loss - rhs.loss, weight: lhs.weight - rhs.weight,
      correct: lhs.correct - rhs.correct)
  }
}

/// A network compiled for one number of rows, and where their samples, targets and results lie.
final class MicrobatchPlan {
  /// Where things lie in the memory of the plan.
  private struct Places {
    let samples: UnsafeMutablePointer<Float>
    /// Nil where rows have none.
    let targets: TargetMemory?
    let outputs: UnsafePointer<Float>
    /// The loss of each row; nil for a plan that computes outputs alone.
    let losses: UnsafePointer<Float>?
    /// The weight of each row; nil where each has weight 1.
    let weights: UnsafePointer<Float>?
  }

  let plan: Plan
  private let network: Network
  private let forward: Network.Forward
  private let hasLosses: Bool
  /// Looked up by the thread that uses the memory first, which then lies near it.
  private lazy var places = makePlaces()

  /// Compiles a network.
  ///
  /// - Throws: `PlanError`.
  init(
    _ network: Network, rows: Int, purpose: MicrobatchWorker.Purpose, arena: Arena,
    halves: Halves?
  ) throws(PlanError) {
    self.network = network
    let forward = purpose == .training ? network.training : network.evaluation
    self.forward = forward
    hasLosses = purpose != .prediction
    let values =
      hasLosses
      ? [forward.prediction, forward.loss] + (forward.rowWeight.map { [$0] } ?? [])
      : [forward.prediction]
    let gradients = purpose == .training ? network.summed.map { ($0.name, $0.node) } : []
    plan = try Plan(
      forward.graph, batch: rows, values: values, gradients: gradients, layout: network.layout,
      arena: arena, halves: halves)
  }

  private func makePlaces() -> Places {
    guard let samples = plan.data(Network.samplesName) else {
      preconditionFailure("the network does not use its samples")
    }
    return Places(
      samples: samples,
      targets: plan.labels(Network.targetsName).map { .labels($0) }
        ?? plan.data(Network.targetsName).map { .responses($0) },
      outputs: plan.value(of: forward.prediction),
      losses: hasLosses ? plan.value(of: forward.loss) : nil,
      weights: hasLosses ? forward.rowWeight.map { plan.value(of: $0) } : nil)
  }

  /// Fetches the rows of a microbatch.
  ///
  /// - Throws: What reading rows throws.
  func fill(_ rows: UnsafeBufferPointer<Int>, from source: some RowSource) throws {
    try source.read(rows, samples: places.samples, targets: places.targets)
  }

  /// The outputs of the last microbatch, row-major; valid until the next one.
  var outputs: UnsafePointer<Float> { places.outputs }

  /// The targets of the last microbatch; nil where rows have none.
  var targets: TargetMemory? { places.targets }

  /// The sums over the rows of the last microbatch; zero for a plan that computes outputs alone.
  func sums() -> MicrobatchSums {
    guard let losses = places.losses else { return .zero }
    var sums = MicrobatchSums(loss: 0, weight: Double(plan.batch), correct: 0)
    for row in 0..<plan.batch { sums.loss += Double(losses[row]) }
    if let weights = places.weights {
      sums.weight = 0
      for row in 0..<plan.batch { sums.weight += Double(weights[row]) }
    }
    if case .labels(let labels)? = places.targets {
      sums.correct = Loss.correct(
        logits: places.outputs, labels: labels, rows: plan.batch, classes: network.outputCount)
    }
    return sums
  }
}
