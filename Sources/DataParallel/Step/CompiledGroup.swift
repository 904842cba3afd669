import Execution
import Models
import Numerics
import Tensors

/// A network compiled for one group of microbatches, with the tensors of the rows that it ran last.
package final class CompiledGroup {
  /// The rows of each microbatch.
  let shape: MicrobatchGroup
  /// The number of the group among those of its runner.
  let number: Int
  /// The sums over the rows of each microbatch; zero for a network that computes outputs alone.
  package private(set) var sums: [MicrobatchSums]
  let plan: Plan
  /// The number of the plan's steps after which ``sums`` and ``outputs`` can be read.
  let forwardStepCount: Int
  /// The same number as the only milestone.
  let forwardMilestone: [Int]
  /// The number of every step, for traces.
  let everyStep: [Int]
  private let network: Network
  private let samples: Location
  /// The location of the targets; nil if rows have none.
  private let targetLocation: Location?
  private let targetsAreLabels: Bool
  private let outputLocation: Location
  /// The loss of each row; nil for a network that computes outputs alone.
  private let losses: Location?
  /// The weight of each row; nil if all weights are 1.
  private let weights: Location?

  /// Compiles a network.
  ///
  /// - Throws: `PlanError`.
  init(
    _ network: Network, _ shape: MicrobatchGroup, number: Int, purpose: GroupRunner.Purpose,
    workspace: any Workspace
  ) throws(PlanError) {
    self.network = network
    self.shape = shape
    self.number = number
    sums = shape.rows.map { _ in .zero }
    let forward = purpose == .training ? network.training : network.evaluation
    let hasLosses = purpose != .prediction
    let values =
      hasLosses
      ? [forward.prediction, forward.loss] + (forward.rowWeight.map { [$0] } ?? [])
      : [forward.prediction]
    let gradients = purpose == .training ? network.summed.map { ($0.name, $0.node) } : []
    plan = try Plan(
      forward.graph, group: shape, values: values, gradients: gradients, layout: network.layout,
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

  /// The number of rows of all microbatches.
  package var rowCount: Int { shape.rowCount }

  /// The outputs of the rows, row-major; valid until the next run in the workspace.
  package var outputs: UnsafePointer<Float> { plan.value(at: outputLocation) }

  /// The targets of the rows; nil if rows have none.
  package var targets: TargetMemory? {
    guard let targetLocation else { return nil }
    let memory = plan.input(at: targetLocation)
    return targetsAreLabels
      ? .labels(memory.assumingMemoryBound(to: Int32.self))
      : .responses(memory.assumingMemoryBound(to: Float.self))
  }

  /// Reads rows into the plan's inputs.
  ///
  /// - Throws: The errors of ``RowSource/read(_:samples:targets:)``.
  func fill(_ rows: UnsafeBufferPointer<Int>, from source: any RowSource) throws {
    try source.read(
      rows, samples: plan.input(at: samples).assumingMemoryBound(to: Float.self), targets: targets)
  }

  /// Takes the sums over the rows of each microbatch, whose forward steps have just been run.
  func sumRows() {
    for (microbatch, rows) in shape.rows.enumerated() { sums[microbatch] = sums(over: rows) }
  }

  /// Returns the loss of a row that has been computed; 0 for a network that computes outputs alone.
  package func loss(ofRow row: Int) -> Double {
    losses.map { Double(plan.value(at: $0)[row]) } ?? 0
  }

  /// Returns the weight of a row.
  package func weight(ofRow row: Int) -> Double {
    weights.map { Double(plan.value(at: $0)[row]) } ?? 1
  }

  private func sums(over rows: Range<Int>) -> MicrobatchSums {
    guard let losses = losses.map(plan.value(at:)) else { return .zero }
    var sums = MicrobatchSums(loss: 0, weight: Double(rows.count), correct: 0)
    for row in rows { sums.loss += Double(losses[row]) }
    if let weights = weights.map(plan.value(at:)) {
      sums.weight = 0
      for row in rows { sums.weight += Double(weights[row]) }
    }
    if targetsAreLabels, case .labels(let labels)? = targets {
      let first = rows.lowerBound
      sums.correct = Classification.correct(
        logits: outputs + first * network.outputCount, labels: labels + first, rows: rows.count,
        classes: network.outputCount)
    }
    return sums
  }
}
