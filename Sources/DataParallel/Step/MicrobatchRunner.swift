package import Execution
package import Models
package import Numerics
package import Tensors

/// Runs microbatches one after another: one compiled network per number of rows, over shared memory.
///
/// Belongs to one thread at a time. A microbatch is computed by ``load(_:of:row:)`` and then
/// ``run(_:segment:draws:gradient:milestones:reached:)``, once or segment by segment.
package final class MicrobatchRunner {
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
  private let parameters: FloatBuffer
  /// One per number of rows: few enough to search.
  private let compiled: [CompiledMicrobatch]
  private let workspace: any Workspace
  private var parametersArePrepared = false
  private let stopwatch: Stopwatch?
  private let rows: UnsafeMutableBufferPointer<Int>

  /// Compiles a network for each number of rows in `sizes`, over one workspace.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - sizes: The numbers of rows.
  ///   - purpose: The values that are computed.
  ///   - parameters: The flat parameters, read by each run.
  ///   - workspace: The memory between operations.
  ///   - stopwatch: Records time per phase; nil for threads that are not profiled.
  /// - Throws: `PlanError`.
  package init(
    _ network: Network, sizes: Set<Int>, purpose: Purpose, parameters: FloatBuffer,
    workspace: any Workspace, stopwatch: Stopwatch? = nil
  ) throws(PlanError) {
    self.workspace = workspace
    self.stopwatch = stopwatch
    self.parameters = parameters
    var compiled: [CompiledMicrobatch] = []
    for size in sizes.sorted() {
      compiled.append(
        try CompiledMicrobatch(network, rowCount: size, purpose: purpose, workspace: workspace))
    }
    self.compiled = compiled
    rows = .allocate(capacity: max(sizes.max() ?? 0, 1))
    rows.initialize(repeating: 0)
  }

  deinit { rows.deallocate() }

  /// The memory of the workspace, in bytes.
  var byteCount: Int { workspace.byteCount }

  /// The steps of the plans, by the number of rows.
  var callLists: [Int: CallList] {
    compiled.reduce(into: [:]) {
      $0[$1.rowCount] = CallList(
        labels: $1.plan.stepLabels, forwardCount: $1.forwardStepCount)
    }
  }

  /// The length of the vector that is summed over microbatches after each segment.
  var sumCounts: [Int] {
    guard let plan = compiled.first?.plan else { return [] }
    return plan.schedule.segmentEnds.indices.map(plan.sumCount)
  }

  /// Invalidates what the workspace has derived from the parameters, which have changed.
  func invalidateParameters() { parametersArePrepared = false }

  /// Returns the network compiled for microbatches of `rowCount` rows.
  func microbatch(ofRows rowCount: Int) -> CompiledMicrobatch {
    for microbatch in compiled where microbatch.rowCount == rowCount { return microbatch }
    preconditionFailure("no plan for \(rowCount) rows")
  }

  /// Reads the rows of a microbatch and readies the parameters.
  ///
  /// - Parameters:
  ///   - rowCount: The number of rows, one of the sizes.
  ///   - source: The rows.
  ///   - row: Returns the index in the source of each row of the microbatch.
  /// - Returns: The compiled network with the rows, to be run.
  /// - Throws: The errors of reading rows.
  package func load(
    _ rowCount: Int, of source: any RowSource, row: (Int) -> Int
  ) throws -> CompiledMicrobatch {
    let microbatch = microbatch(ofRows: rowCount)
    for index in 0..<rowCount { rows[index] = row(index) }
    try microbatch.fill(UnsafeBufferPointer(rebasing: rows[..<rowCount]), from: source)
    stopwatch?.lap(.data)
    if !parametersArePrepared {
      workspace.prepare(parameters: parameters.pointer)
      parametersArePrepared = true
    }
    return microbatch
  }

  /// Computes a loaded microbatch, or one segment of it.
  ///
  /// - Parameters:
  ///   - microbatch: The microbatch; its sums are there when its forward steps are done.
  ///   - segment: The segment between two sums over microbatches; nil for the whole microbatch.
  ///   - draws: The key of the random numbers.
  ///   - gradient: The flat gradient, the same for all segments; any memory for a network without one.
  ///   - milestones: The numbers of steps to report, ascending, the forward steps among them; nil for
  ///     those alone.
  ///   - reached: Called with each number of finished steps that is reached, perhaps also with others.
  package func run(
    _ microbatch: CompiledMicrobatch, segment: Int? = nil, draws: Draws = Draws(),
    gradient: FloatBuffer, milestones: [Int]? = nil, reached: (Int) -> Void = { _ in }
  ) {
    func finish(_ steps: Int) {
      timeline?.endCall(steps - 1, rows: microbatch.rowCount)
      reached(steps)
      if steps == microbatch.forwardStepCount {
        microbatch.sumRows()
        stopwatch?.lap(.forward)
      }
      timeline?.beginCall()
    }
    let milestones =
      timeline == nil ? milestones ?? microbatch.forwardMilestone : microbatch.everyStep
    timeline?.beginCall()
    if let segment {
      withUnsafePointer(to: gradient.pointer) {
        microbatch.plan.run(
          segment: segment, parameters: parameters.pointer,
          gradients: GradientVectors(start: $0, count: 1), draws: draws, milestones: milestones,
          reached: finish)
      }
    } else {
      microbatch.plan.run(
        parameters: parameters.pointer, gradient: gradient.pointer, draws: draws,
        milestones: milestones, reached: finish)
    }
    let isForward = segment.map { !microbatch.plan.valuesAreThere(after: $0) } ?? false
    stopwatch?.lap(isForward ? .forward : .backward)
  }
}
