package import Execution
package import Models
import Numerics
package import Tensors

/// Runs groups of microbatches one after another: the network compiled for each, over shared memory.
///
/// Belongs to one thread at a time. A group is computed by ``load(_:of:row:)`` and then
/// ``run(_:segment:draws:gradients:milestones:reached:)``, once or segment by segment.
package final class GroupRunner {
  /// The values that are computed for the rows.
  package enum Purpose {
    /// The loss and the gradient of every parameter.
    case training
    /// The loss and the outputs.
    case evaluation
    /// The outputs; rows need no targets.
    case prediction
  }

  /// Records the time of each step of the plans; nil unless a trace is wanted.
  var timeline: Timeline?
  /// The compiled groups; few enough to search.
  let compiled: [CompiledGroup]
  private let parameters: FloatBuffer
  private let workspace: any Workspace
  private var parametersArePrepared = false
  private let stopwatch: Stopwatch?
  private let rows: UnsafeMutableBufferPointer<Int>

  /// Compiles a network for some groups, over one workspace.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - shapes: The groups, no two the same.
  ///   - purpose: The values that are computed.
  ///   - parameters: The flat parameters, read by each run.
  ///   - workspace: The memory between operations.
  ///   - stopwatch: Records time per phase; nil for threads that are not profiled.
  /// - Throws: `PlanError`.
  package init(
    _ network: Network, _ shapes: [MicrobatchGroup], purpose: Purpose, parameters: FloatBuffer,
    workspace: any Workspace, stopwatch: Stopwatch? = nil
  ) throws(PlanError) {
    self.workspace = workspace
    self.stopwatch = stopwatch
    self.parameters = parameters
    var compiled: [CompiledGroup] = []
    for (index, shape) in shapes.enumerated() {
      compiled.append(
        try CompiledGroup(
          network, shape, number: index, purpose: purpose, workspace: workspace))
    }
    self.compiled = compiled
    rows = .allocate(capacity: max(shapes.map(\.rowCount).max() ?? 0, 1))
    rows.initialize(repeating: 0)
  }

  deinit { rows.deallocate() }

  /// The memory of the workspace, in bytes.
  var byteCount: Int { workspace.byteCount }

  /// The steps of the plans, by the numbers of the groups.
  var callLists: [CallList] {
    compiled.map { CallList(labels: $0.plan.stepLabels, forwardCount: $0.forwardStepCount) }
  }

  /// The length of the vector that is summed over microbatches after each segment.
  var sumCounts: [Int] {
    guard let plan = compiled.first?.plan else { return [] }
    return plan.schedule.segmentEnds.indices.map(plan.sumCount)
  }

  /// Invalidates what the workspace has derived from the parameters, which have changed.
  func invalidateParameters() { parametersArePrepared = false }

  /// Returns the network compiled for a group.
  func group(_ shape: MicrobatchGroup) -> CompiledGroup {
    for group in compiled where group.shape == shape { return group }
    preconditionFailure("no plan for microbatches of \(shape.rows)")
  }

  /// Returns the network compiled for `rowCount` rows.
  package func group(ofRows rowCount: Int) -> CompiledGroup {
    for group in compiled where group.rowCount == rowCount { return group }
    preconditionFailure("no plan for \(rowCount) rows")
  }

  /// Reads the rows of a group and readies the parameters.
  ///
  /// - Parameters:
  ///   - group: The compiled network, to be run.
  ///   - source: The rows.
  ///   - row: Returns the index in the source of each row of the group.
  /// - Throws: The errors of reading rows.
  package func load(
    _ group: CompiledGroup, of source: any RowSource, row: (Int) -> Int
  ) throws {
    let rowCount = group.rowCount
    for index in 0..<rowCount { rows[index] = row(index) }
    try group.fill(UnsafeBufferPointer(rebasing: rows[..<rowCount]), from: source)
    stopwatch?.lap(.data)
    if !parametersArePrepared {
      workspace.prepare(parameters: parameters.pointer)
      parametersArePrepared = true
    }
  }

  /// Computes a loaded group of a network without gradients.
  package func run(_ group: CompiledGroup) {
    // Nothing is written there.
    withUnsafePointer(to: parameters.pointer) {
      run(group, gradients: GradientVectors(start: $0, count: 1))
    }
  }

  /// Computes a loaded group, or one segment of it.
  ///
  /// - Parameters:
  ///   - group: The group; its sums are there when its forward steps are done.
  ///   - segment: The segment between two sums over microbatches; nil for the whole group.
  ///   - draws: The key of the random numbers.
  ///   - gradients: The flat gradient of each sum of the group, the same for all segments.
  ///   - milestones: The numbers of steps to report, ascending, the forward steps among them; nil for
  ///     those alone.
  ///   - reached: Called with each number of finished steps that is reached, perhaps also with others.
  func run(
    _ group: CompiledGroup, segment: Int? = nil, draws: Draws = Draws(),
    gradients: GradientVectors, milestones: [Int]? = nil, reached: (Int) -> Void = { _ in }
  ) {
    func finish(_ steps: Int) {
      timeline?.endCall(steps - 1, list: group.number)
      reached(steps)
      if steps == group.forwardStepCount {
        group.sumRows()
        stopwatch?.lap(.forward)
      }
      timeline?.beginCall()
    }
    let milestones = timeline == nil ? milestones ?? group.forwardMilestone : group.everyStep
    timeline?.beginCall()
    if let segment {
      group.plan.run(
        segment: segment, parameters: parameters.pointer, gradients: gradients, draws: draws,
        milestones: milestones, reached: finish)
    } else {
      group.plan.run(
        parameters: parameters.pointer, gradients: gradients, draws: draws,
        milestones: milestones, reached: finish)
    }
    let isForward = segment.map { !group.plan.valuesAreThere(after: $0) } ?? false
    stopwatch?.lap(isForward ? .forward : .backward)
  }
}
