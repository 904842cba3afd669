package import Execution
package import Models
import Numerics
import Tensors

/// What is summed over the rows of a microbatch besides the gradient.
package struct MicrobatchSums: AdditiveArithmetic, Sendable {
  /// The loss, added row by row.
  package var loss: Double = 0
  /// The weights of the rows.
  package var weight: Double = 0
  /// The rows whose largest output is that of the label.
  package var correct: Int = 0

  package static let zero = MicrobatchSums()

  package static func + (lhs: MicrobatchSums, rhs: MicrobatchSums) -> MicrobatchSums {
    MicrobatchSums(
      loss: lhs.loss + rhs.loss, weight: lhs.weight + rhs.weight,
      correct: lhs.correct + rhs.correct)
  }

  package static func - (lhs: MicrobatchSums, rhs: MicrobatchSums) -> MicrobatchSums {
    MicrobatchSums(
      loss: lhs.loss - rhs.loss, weight: lhs.weight - rhs.weight,
      correct: lhs.correct - rhs.correct)
  }
}

/// A network compiled for one number of rows, and where their samples, targets and results lie.
package final class MicrobatchPlan {
  package let plan: Plan
  /// The number of steps after which ``sums()`` and ``outputs`` are there.
  package let forwardStepCount: Int
  /// That number as the only milestone.
  package let forwardMilestone: [Int]
  /// The number of every step, for those who look at each.
  package let everyStep: [Int]
  private let network: Network
  private let samples: Location
  /// Nil where rows have none.
  private let targetLocation: Location?
  private let targetsAreLabels: Bool
  private let outputLocation: Location
  /// The loss of each row; nil for a plan that computes outputs alone.
  private let losses: Location?
  /// The weight of each row; nil where each has weight 1.
  private let weights: Location?

  /// Compiles a network.
  ///
  /// - Throws: `PlanError`.
  package init(
    _ network: Network, rows: Int, purpose: MicrobatchWorker.Purpose, workspace: any Workspace
  ) throws(PlanError) {
    self.network = network
    let forward = purpose == .training ? network.training : network.evaluation
    let hasLosses = purpose != .prediction
    let values =
      hasLosses
      ? [forward.prediction, forward.loss] + (forward.rowWeight.map { [$0] } ?? [])
      : [forward.prediction]
    let gradients = purpose == .training ? network.summed.map { ($0.name, $0.node) } : []
    plan = try Plan(
      forward.graph, batch: rows, values: values, gradients: gradients, layout: network.layout,
      workspace: workspace)
    let schedule = plan.schedule
    forwardStepCount = schedule.forwardStepCount
    forwardMilestone = [forwardStepCount]
    everyStep = Array(1..<schedule.steps.count + 1)
    guard let samples = schedule.inputs[Network.samplesName]?.location else {
      preconditionFailure("the network does not use its samples")
    }
    self.samples = samples
    targetLocation = schedule.inputs[Network.targetsName]?.location
    targetsAreLabels = targetLocation?.region == .labels
    let locations = schedule.values.map(\.location)
    outputLocation = locations[0]
    losses = hasLosses ? locations[1] : nil
    weights = hasLosses && forward.rowWeight != nil ? locations[2] : nil
  }

  /// Fetches the rows of a microbatch.
  ///
  /// - Throws: What reading rows throws.
  package func fill(_ rows: UnsafeBufferPointer<Int>, from source: any RowSource) throws {
    try source.read(
      rows, samples: plan.input(at: samples).assumingMemoryBound(to: Float.self), targets: targets)
  }

  /// The outputs of the last microbatch, row-major; valid until the next one.
  package var outputs: UnsafePointer<Float> { plan.value(at: outputLocation) }

  /// The targets of the last microbatch; nil where rows have none.
  package var targets: TargetMemory? {
    guard let targetLocation else { return nil }
    let memory = plan.input(at: targetLocation)
    return targetsAreLabels
      ? .labels(memory.assumingMemoryBound(to: Int32.self))
      : .responses(memory.assumingMemoryBound(to: Float.self))
  }

  /// The sums over the rows of the last microbatch; zero for a plan that computes outputs alone.
  package func sums() -> MicrobatchSums {
    guard let losses = losses.map(plan.value(at:)) else { return .zero }
    var sums = MicrobatchSums(loss: 0, weight: Double(plan.batch), correct: 0)
    for row in 0..<plan.batch { sums.loss += Double(losses[row]) }
    if let weights = weights.map(plan.value(at:)) {
      sums.weight = 0
      for row in 0..<plan.batch { sums.weight += Double(weights[row]) }
    }
    if targetsAreLabels, case .labels(let labels)? = targets {
      sums.correct = Classification.correct(
        logits: outputs, labels: labels, rows: plan.batch, classes: network.outputCount)
    }
    return sums
  }
}
