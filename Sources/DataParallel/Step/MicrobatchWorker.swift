package import Execution
package import Models
package import Numerics
package import Tensors

/// What one worker needs to compute microbatches: plans for the sizes that occur, and their memory.
///
/// One thread at a time.
package final class MicrobatchWorker {
  /// What a worker computes for its rows.
  package enum Purpose {
    /// The loss and the gradient of every parameter.
    case training
    /// The loss and the outputs.
    case evaluation
    /// The outputs; rows need no targets.
    case prediction
  }

  private let parameters: FloatBuffer
  /// Few; found by their number of rows.
  private let plans: [MicrobatchPlan]
  private let workspace: any Workspace
  private var parametersArePrepared = false
  package let stopwatch: Stopwatch?
  /// Where each call is noted; nil where nobody looks.
  package var timeline: Timeline?
  private let rows: UnsafeMutableBufferPointer<Int>

  /// Compiles a plan for each number of rows in `sizes`, over one workspace.
  ///
  /// Counts time by phases if a stopwatch is given.
  ///
  /// - Throws: `PlanError`.
  package init(
    _ network: Network, sizes: Set<Int>, purpose: Purpose, parameters: FloatBuffer,
    workspace: any Workspace, stopwatch: Stopwatch? = nil
  ) throws(PlanError) {
    self.workspace = workspace
    self.stopwatch = stopwatch
    self.parameters = parameters
    var plans: [MicrobatchPlan] = []
    for size in sizes.sorted() {
      plans.append(
        try MicrobatchPlan(network, rows: size, purpose: purpose, workspace: workspace))
    }
    self.plans = plans
    rows = .allocate(capacity: max(sizes.max() ?? 0, 1))
    rows.initialize(repeating: 0)
  }

  deinit { rows.deallocate() }

  /// Says that the parameters are others than at the last microbatch.
  package func parametersHaveChanged() { parametersArePrepared = false }

  /// Computes one microbatch.
  ///
  /// - Parameters:
  ///   - count: Its number of rows, one of the sizes.
  ///   - source: Where the rows are.
  ///   - row: The index in the source of each row of the microbatch.
  ///   - draws: What random numbers depend on.
  ///   - gradient: Where the gradient goes, of the layout of the parameters; any memory for a
  ///     worker that computes none.
  /// - Returns: The sums over the rows.
  /// - Throws: What reading the rows throws.
  package func compute(
    _ count: Int, of source: any RowSource, row: (Int) -> Int, draws: Draws = Draws(),
    gradient: FloatBuffer
  ) throws -> MicrobatchSums {
    try compute(
      count, of: source, row: row, draws: draws, gradient: gradient, milestones: nil,
      reached: { _ in })
  }

  /// Computes one microbatch for training, and lets the caller look in between.
  ///
  /// - Parameters:
  ///   - count: Its number of rows, one of the sizes.
  ///   - source: Where the rows are.
  ///   - row: The index in the source of each row of the microbatch.
  ///   - draws: What random numbers depend on.
  ///   - gradient: Where the gradient goes.
  ///   - milestones: Numbers of the plan's steps, ascending, that of the forward steps among them; nil for that alone.
  ///   - reached: Gets the number of steps that are done at each milestone, and perhaps at others.
  /// - Returns: The sums over the rows.
  /// - Throws: What reading the rows throws.
  package func compute(
    _ count: Int, of source: any RowSource, row: (Int) -> Int, draws: Draws,
    gradient: FloatBuffer, milestones: [Int]?, reached: (Int) -> Void
  ) throws -> MicrobatchSums {
    let plan = try begin(count, of: source, row: row)
    var sums = MicrobatchSums.zero
    timeline?.beginCall()
    plan.plan.run(
      parameters: parameters.pointer, gradient: gradient.pointer, draws: draws,
      milestones: timeline == nil ? milestones ?? plan.forwardMilestone : plan.everyStep
    ) { steps in
      timeline?.endCall(steps - 1, rows: count)
      reached(steps)
      if steps == plan.forwardStepCount {
        sums = plan.sums()
        stopwatch?.lap(.forward)
      }
      timeline?.beginCall()
    }
    stopwatch?.lap(.backward)
    return sums
  }

  /// The calls of the plans, by the number of rows.
  package var callLists: [Int: CallList] {
    plans.reduce(into: [:]) {
      $0[$1.plan.batch] = CallList(
        labels: $1.plan.stepLabels, forwardCount: $1.plan.schedule.forwardStepCount)
    }
  }

  // MARK: Segments.

  /// How many numbers are summed over microbatches after each segment of the plans.
  package var sumCounts: [Int] {
    guard let plan = plans.first?.plan else { return [] }
    return plan.schedule.segmentEnds.indices.map(plan.sumCount)
  }

  /// Computes one segment of a microbatch whose rows have been fetched by ``begin(_:of:row:)``.
  ///
  /// - Parameters:
  ///   - segment: The segment.
  ///   - count: The number of rows.
  ///   - draws: What random numbers depend on.
  ///   - gradient: Where the gradient goes, the same for all segments.
  package func run(segment: Int, _ count: Int, draws: Draws, gradient: FloatBuffer) {
    let plan = plan(for: count)
    timeline?.beginCall()
    plan.plan.run(
      segment: segment, parameters: parameters.pointer, gradient: gradient.pointer, draws: draws,
      milestones: timeline == nil ? plan.forwardMilestone : plan.everyStep
    ) { steps in
      timeline?.endCall(steps - 1, rows: count)
      if steps == plan.forwardStepCount { stopwatch?.lap(.forward) }
      timeline?.beginCall()
    }
    stopwatch?.lap(plan.plan.valuesAreThere(after: segment) ? .backward : .forward)
  }

  /// The plan for microbatches of that many rows.
  package func plan(for count: Int) -> MicrobatchPlan {
    for plan in plans where plan.plan.batch == count { return plan }
    preconditionFailure("no plan for \(count) rows")
  }

  /// Fetches the rows of a microbatch for its plan.
  @discardableResult
  package func begin(
    _ count: Int, of source: any RowSource, row: (Int) -> Int
  ) throws -> MicrobatchPlan {
    let plan = plan(for: count)
    for index in 0..<count { rows[index] = row(index) }
    try plan.fill(UnsafeBufferPointer(rebasing: rows[..<count]), from: source)
    stopwatch?.lap(.data)
    if !parametersArePrepared {
      workspace.prepare(parameters: parameters.pointer)
      parametersArePrepared = true
    }
    return plan
  }
}
