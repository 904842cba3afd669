import Execution
import Kernels
import Models
import Numerics
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

  private let network: Network
  private let purpose: Purpose
  private let forward: Network.Forward
  private let parameters: FloatBuffer
  private let plans: [Int: Plan]
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
    self.network = network
    self.purpose = purpose
    let forward = purpose == .training ? network.training : network.evaluation
    self.forward = forward
    self.parameters = parameters
    let layout = network.layout
    var plans: [Int: Plan] = [:]
    for size in sizes.sorted() {
      let values =
        purpose == .prediction
        ? [forward.prediction]
        : [forward.prediction, forward.loss] + (forward.rowWeight.map { [$0] } ?? [])
      let gradients = purpose == .training ? network.summed.map { ($0.name, $0.node) } : []
      plans[size] = try Plan(
        forward.graph, batch: size, values: values, gradients: gradients, layout: layout,
        arena: arena, halves: halves)
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
    plan.run(parameters: parameters.pointer, gradient: gradient.pointer, draws: draws) {
      stopwatch?.lap(.forward)
    }
    stopwatch?.lap(.backward)
    let sums = purpose == .prediction ? .zero : sums(plan)
    stopwatch?.lap(.forward)
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
    timeline?.beginCall()
    plan.run(
      parameters: parameters.pointer, gradient: gradient.pointer, draws: draws,
      valuesAreThere: {
        stopwatch?.lap(.forward)
        timeline?.beginCall()
      },
      afterCall: { calls in
        timeline?.endCall(calls - 1, rows: count)
        afterCall(calls)
        timeline?.beginCall()
      })
    stopwatch?.lap(.backward)
    let sums = sums(plan)
    stopwatch?.lap(.forward)
    return sums
  }

  /// The calls of the plan for `rows` rows after which a part of the flat gradient is final.
  func callCount(finishing elements: Range<Int>, rows: Int) -> Int {
    plan(for: rows).callCount(finishing: elements)
  }

  /// The calls of the plan for `rows` rows that are forward.
  func forwardCallCount(rows: Int) -> Int { plan(for: rows).forwardCallCount }

  /// The calls of the plans, by the number of rows.
  var callLists: [Int: CallList] {
    plans.mapValues { CallList(labels: $0.program, forwardCount: $0.forwardCallCount) }
  }

  // MARK: Segments.

  /// How many numbers are summed over microbatches after each segment of the plans.
  var totalCounts: [Int] {
    guard let plan = plans.first?.value else { return [] }
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
    let plan = plan(for: count)
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
  func plan(for count: Int) -> Plan {
    guard let plan = plans[count] else { preconditionFailure("no plan for \(count) rows") }
    return plan
  }

  /// Fetches the rows of a microbatch for its plan.
  @discardableResult
  func begin(
    _ count: Int, of source: some RowSource, row: (Int) -> Int
  ) throws -> Plan {
    let plan = plan(for: count)
    for index in 0..<count { rows[index] = row(index) }
    stopwatch?.lap(.other)
    try fill(plan, from: source)
    stopwatch?.lap(.data)
    if let halves, halvesAreOld {
      halves.round(parameters.pointer)
      halvesAreOld = false
      stopwatch?.lap(.forward)
    }
    return plan
  }

  /// The outputs of the last microbatch of `count` rows, row-major; valid until the next one.
  func outputs(_ count: Int) -> UnsafePointer<Float> {
    plan(for: count).value(of: forward.prediction)
  }

  /// The class numbers of the last microbatch of `count` rows; nil where rows have none.
  func labels(_ count: Int) -> UnsafePointer<Int32>? {
    plan(for: count).labels(Network.targetsName).map { UnsafePointer($0) }
  }

  /// The responses of the last microbatch of `count` rows, row-major; nil where rows have none.
  func responses(_ count: Int) -> UnsafePointer<Float>? {
    plan(for: count).data(Network.targetsName).map { UnsafePointer($0) }
  }

  private func fill(_ plan: Plan, from source: some RowSource) throws {
    guard let samples = plan.data(Network.samplesName) else {
      preconditionFailure("the network does not use its samples")
    }
    var targets: TargetMemory?
    if purpose != .prediction {
      if let labels = plan.labels(Network.targetsName) {
        targets = .labels(labels)
      } else if let responses = plan.data(Network.targetsName) {
        targets = .responses(responses)
      }
    }
    try source.read(
      UnsafeBufferPointer(rebasing: rows[..<plan.batch]), samples: samples, targets: targets)
  }

  /// The sums over the rows of the microbatch that a plan has computed last.
  func sums(_ plan: Plan) -> MicrobatchSums {
    let losses = plan.value(of: forward.loss)
    var sums = MicrobatchSums(loss: 0, weight: Double(plan.batch), correct: 0)
    for row in 0..<plan.batch { sums.loss += Double(losses[row]) }
    if let weights = forward.rowWeight.map({ plan.value(of: $0) }) {
      sums.weight = 0
      for row in 0..<plan.batch { sums.weight += Double(weights[row]) }
    }
    if let labels = plan.labels(Network.targetsName) {
      sums.correct = Loss.correct(
        logits: plan.value(of: forward.prediction), labels: labels, rows: plan.batch,
        classes: network.outputCount)
    }
    return sums
  }
}
