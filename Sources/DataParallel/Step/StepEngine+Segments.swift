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
        guard segment == last else { return }
        addAll(program, worker: index)
        worker.stopwatch?.lap(.backward)
      }
      stopwatch.lap(.waiting)
      guard segment < last else { continue }
      sums = try totals.exchange(after: segment, program.total)
      stopwatch.lap(.waiting)
    }
  }

  /// Computes one segment of a worker's microbatches.
  private func run(
    _ segment: Int, of program: StepProgram, worker index: Int, by totals: CrossMicrobatchExchange,
    _ sums: UnsafePointer<Float>?, of source: any RowSource, row: (Int) -> Int
  ) throws {
    let worker = workers[index]
    for case .compute(let number, let slot) in program.parts[index].instructions {
      guard worker.failure == nil else { return }
      let (rows, runner) = (program.cut[number], worker.runner(of: number))
      let microbatch =
        segment == 0
        ? try runner.load(rows.count, of: source) { row(rows.lowerBound + $0) }
        : runner.microbatch(ofRows: rows.count)
      if let sums { microbatch.plan.setSums(after: segment - 1, from: sums) }
      runner.run(
        microbatch, segment: segment, draws: draws(for: rows), gradient: worker.slots[slot])
      if segment < totals.counts.count {
        microbatch.plan.copySums(
          after: segment, ofMicrobatch: 0, into: totals.vector(of: number, after: segment))
      } else {
        ownSums[number - microbatches.lowerBound] = microbatch.sums
      }
    }
  }
}
