// Microbatches whose graphs hold sums over all microbatches: segment by segment.
import Communication
import Execution
import Tensors

extension StepEngine {
  /// Computes this rank's microbatches, all of them up to a sum before any goes on.
  ///
  /// Collective. A failing worker stores its error but still joins every sum, so no rank blocks; the ranks
  /// agree on failures when all is computed.
  ///
  /// - Parameters:
  ///   - program: The microbatches that are present.
  ///   - totals: The exchange of the sums.
  ///   - source: The rows.
  ///   - row: Returns the index in the source of each row of the step.
  /// - Throws: `CommunicationError`.
  func compute(
    _ program: StepProgram, by totals: CrossMicrobatchExchange, of source: any RowSource,
    row: (Int) -> Int
  ) throws(CommunicationError) {
    var sums: UnsafePointer<Float>?
    let last = totals.counts.count
    for segment in 0...last {
      pool.run { index in
        let worker = workers[index]
        if index > 0 { worker.stopwatch?.start() }
        do {
          try run(segment, of: program, worker: index, by: totals, sums, of: source, row: row)
        } catch {
          worker.failure = worker.failure ?? error
        }
        if segment == last { publishAll(program, worker: index) }
      }
      stopwatch.lap(.waiting)
      guard segment < last else { continue }
      sums = try totals.exchange(after: segment, program.total)
      stopwatch.lap(.waiting)
    }
  }

  /// Computes one segment of a worker's microbatches, which are one group.
  private func run(
    _ segment: Int, of program: StepProgram, worker index: Int, by totals: CrossMicrobatchExchange,
    _ sums: UnsafePointer<Float>?, of source: any RowSource, row: (Int) -> Int
  ) throws {
    let worker = workers[index]
    guard worker.failure == nil, let bound = program.parts[index].groups.first else { return }
    if segment == 0 { try load(bound, worker, of: source, row: row) }
    let plan = bound.compiled.plan
    if let sums { plan.setSums(after: segment - 1, from: sums) }
    let isLast = segment == totals.counts.count
    run(bound, segment: segment, of: program, worker: index, beginsExchanges: isLast)
    guard !isLast else { return }
    for (position, number) in bound.group.microbatches.enumerated() {
      plan.copySums(
        after: segment, ofMicrobatch: position, into: totals.vector(of: number, after: segment))
    }
  }
}
