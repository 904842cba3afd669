// Microbatches whose graphs hold sums over all microbatches: segment by segment.
package import Communication
import Execution
import Tensors

extension StepEngine {
  /// Computes this rank's microbatches, all of them up to a sum before any goes on.
  ///
  /// Collective. What fails is kept in the worker, which goes on to come to every sum, so that nobody waits
  /// for it; the ranks agree on failures when all is done.
  ///
  /// - Parameters:
  ///   - program: The microbatches that are present.
  ///   - totals: What sums go by.
  ///   - source: Where the rows are.
  ///   - row: The index in the source of each row of the step.
  /// - Throws: `CommunicationError`.
  package func compute(
    _ program: StepProgram, by totals: TotalExchange, of source: any RowSource, row: (Int) -> Int
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
    _ segment: Int, of program: StepProgram, worker index: Int, by totals: TotalExchange,
    _ sums: UnsafePointer<Float>?, of source: any RowSource, row: (Int) -> Int
  ) throws {
    let worker = workers[index]
    for case .compute(let leaf, let slot) in program.parts[index].instructions {
      guard worker.failure == nil else { return }
      let (rows, hand) = (program.cut[leaf], worker.hand(for: leaf))
      if segment == 0 {
        try hand.begin(rows.count, of: source) { row(rows.lowerBound + $0) }
      }
      let plan = hand.plan(for: rows.count)
      if let sums { plan.plan.setSums(after: segment - 1, from: sums) }
      hand.run(
        segment: segment, rows.count, draws: draws(for: rows), gradient: worker.slots[slot])
      if segment < totals.counts.count {
        plan.plan.copySums(after: segment, into: totals.vector(of: leaf, after: segment))
      } else {
        ownSums[leaf - leaves.lowerBound] = plan.sums()
      }
    }
  }
}
