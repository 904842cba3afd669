import Execution
import Kernels
import Models
import Numerics
import Tensors

/// What one worker needs to compute microbatches: plans for the sizes that occur, and their memory.
///
/// One thread at a time.
final class MicrobatchWorker {
  /// What a worker computes for its rows.
  enum Purpose {
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
  /// Rounds what products take; nil where they take it as it is.
  private let halves: Halves?
  private var halvesAreOld = true
  let stopwatch: Stopwatch?
  /// Where each call is noted; nil where nobody looks.
  var timeline: Timeline?
  private let rows: UnsafeMutableBufferPointer<Int>

  /// Compiles a plan for each number of rows in `sizes`, over one shared arena.
  ///
  /// Where a stopwatch is given, it is told where the time goes. Products take operands of the precision
  /// given.
  ///
  /// - Throws: `PlanError`.
  init(
    _ network: Network, sizes: Set<Int>, purpose: Purpose, parameters: FloatBuffer, arena: Arena,
    precision: RunConfiguration.Precision = .float, stopwatch: Stopwatch? = nil
  ) throws(PlanError) {
    let halves = precision == .bf16 ? Halves(layout: network.layout) : nil
    self.halves = halves
    self.stopwatch = stopwatch
    self.parameters = parameters
    var plans: [MicrobatchPlan] = []
    for size in sizes.sorted() {
      plans.append(
        try MicrobatchPlan(network, rows: size, purpose: purpose, arena: arena, halves: halves))
    }
    self.plans = plans
    rows = .allocate(capacity: max(sizes.max() ?? 0, 1))
    rows.initialize(repeating: 0)
  }

  deinit { rows.deallocate() }

  /// Says that the parameters are others than at the last microbatch.
  func parametersHaveChanged() { halvesAreOld = true }

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
  func compute(
    _ count: Int, of source: some RowSource, row: (Int) -> Int, draws: Draws = Draws(),
    gradient: FloatBuffer
  ) throws -> MicrobatchSums {
    if timeline != nil {
      return try compute(
        count, of: source, row: row, draws: draws, gradient: gradient, afterCall: { _ in })
    }
    let plan = try begin(count, of: source, row: row)
    var sums = MicrobatchSums.zero
    plan.plan.run(parameters: parameters.pointer, gradient: gradient.pointer, draws: draws) {
      sums = plan.sums()
      stopwatch?.lap(.forward)
    }
    stopwatch?.lap(.backward)
    return sums
  }

  /// Computes one microbatch for training, and lets the caller look in between.
  ///
  /// - Parameters:
  ///   - count: Its number of rows, one of the sizes.
  ///   - source: Where the rows are.
  ///   - row: The index in the source of each row of the microbatch.
  ///   - draws: What random numbers depend on.
  ///   - gradient: Where the gradient goes.
  ///   - afterCall: Gets the number of the plan's calls that have been made, after each of them.
  /// - Returns: The sums over the rows.
  /// - Throws: What reading the rows throws.
  func compute(
    _ count: Int, of source: some RowSource, row: (Int) -> Int, draws: Draws,
    gradient: FloatBuffer, afterCall: (Int) -> Void
  ) throws -> MicrobatchSums {
    let plan = try begin(count, of: source, row: row)
    var sums = MicrobatchSums.zero
    timeline?.beginCall()
    plan.plan.run(
      parameters: parameters.pointer, gradient: gradient.pointer, draws: draws,
      valuesAreThere: {
        sums = plan.sums()
        stopwatch?.lap(.forward)
        timeline?.beginCall()
      },
      afterCall: { calls in
        timeline?.endCall(calls - 1, rows: count)
        afterCall(calls)
        timeline?.beginCall()
      })
    stopwatch?.lap(.backward)
    return sums
  }

  /// The calls of the plans, by the number of rows.
  var callLists: [Int: CallList] {
    plans.reduce(into: [:]) {
      $0[$1.plan.batch] = CallList(
        labels: $1.plan.program, forwardCount: $1.plan.forwardCallCount)
    }
  }

  // MARK: Segments.

  /// How many numbers are summed over microbatches after each segment of the plans.
  var totalCounts: [Int] {
    guard let plan = plans.first?.plan else { return [] }
    return (0..<plan.segmentCount - 1).map(plan.totalCount)
  }

  /// Computes one segment of a microbatch whose rows have been fetched by ``begin(_:of:row:)``.
  ///
  /// - Parameters:
  ///   - segment: The segment.
  ///   - count: The number of rows.
  ///   - draws: What random numbers depend on.
  ///   - gradient: Where the gradient goes, the same for all segments.
  func run(segment: Int, _ count: Int, draws: Draws, gradient: FloatBuffer) {
    let plan = plan(for: count).plan
    timeline?.beginCall()
    plan.run(
      segment: segment, parameters: parameters.pointer, gradient: gradient.pointer, draws: draws,
      valuesAreThere: {
        stopwatch?.lap(.forward)
        timeline?.beginCall()
      },
      afterCall: { calls in
        timeline?.endCall(calls - 1, rows: count)
        timeline?.beginCall()
      })
    stopwatch?.lap(plan.valuesAreThere(after: segment) ? .backward : .forward)
  }

  /// The plan for microbatches of that many rows.
  func plan(for count: Int) -> MicrobatchPlan {
    for plan in plans where plan.plan.batch == count { return plan }
    preconditionFailure("no plan for \(count) rows")
  }

  /// Fetches the rows of a microbatch for its plan.
  @discardableResult
  func begin(
    _ count: Int, of source: some RowSource, row: (Int) -> Int
  ) throws -> MicrobatchPlan {
    let plan = plan(for: count)
    for index in 0..<count { rows[index] = row(index) }
    try plan.fill(UnsafeBufferPointer(rebasing: rows[..<count]), from: source)
    stopwatch?.lap(.data)
    if let halves, halvesAreOld {
      halves.round(parameters.pointer)
      halvesAreOld = false
      stopwatch?.lap(.forward)
    }
    return plan
  }
}
