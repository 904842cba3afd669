// Microbatches one by one, and the buckets of elements whose sums begin during the last of them.
package import Communication
package import Numerics
import Synchronization
import Tensors

extension StepEngine {
  /// The part of one worker: its microbatches, and the sums of its subtrees.
  package func compute(
    _ program: StepProgram, worker index: Int, of source: any RowSource, row: (Int) -> Int
  ) {
    let worker = workers[index]
    let part = program.parts[index]
    if index > 0 { worker.stopwatch?.start() }
    var doneBuckets = 0
    do {
      for (place, instruction) in part.instructions.enumerated() {
        switch instruction {
        case .compute(let leaf, let slot):
          let rows = program.cut[leaf]
          let rowOfMicrobatch = { row(rows.lowerBound + $0) }
          let gradient = worker.slots[slot]
          let draws = draws(for: rows)
          guard !group.isWholeJob, place == part.lastCompute else {
            ownSums[leaf - leaves.lowerBound] = try worker.hands[0].compute(
              rows.count, of: source, row: rowOfMicrobatch, draws: draws, gradient: gradient)
            continue
          }
          ownSums[leaf - leaves.lowerBound] = try worker.hands[0].compute(
            rows.count, of: source, row: rowOfMicrobatch, draws: draws, gradient: gradient,
            milestones: part.milestones
          ) { steps in
            finishBuckets(&doneBuckets, after: steps, of: part, of: program, worker: index)
          }
        case .add(let addition):
          // The sums after the last microbatch have been made bucket by bucket.
          if !group.isWholeJob, place > part.lastCompute ?? -1 { continue }
          worker.add(addition, 0..<worker.slots[0].count)
          worker.stopwatch?.lap(.backward)
        }
      }
    } catch {
      worker.failure = error
    }
    // Also where nothing was computed or something failed, or the other ranks would wait.
    if !group.isWholeJob { publish(worker: index, buckets: program.sum.bucketCount) }
  }

  /// What the random numbers of some rows of this step depend on.
  package func draws(for rows: Range<Int>) -> Draws {
    Draws(seed: seed, step: step, firstRow: rows.lowerBound)
  }

  /// Adds the gradients of a worker whose microbatches have all been computed, and says so.
  package func addAll(_ program: StepProgram, worker index: Int) {
    for case .add(let addition) in program.parts[index].instructions {
      workers[index].add(addition, 0..<workers[index].slots[0].count)
    }
    if !group.isWholeJob { publish(worker: index, buckets: program.sum.bucketCount) }
  }

  // MARK: Buckets.

  /// Waits for the workers of the group, bucket by bucket, and begins what has not begun.
  package func beginRemainingBuckets(of program: StepProgram) throws(CommunicationError) {
    while begunBuckets < program.sum.bucketCount {
      group.wait { isFinal(bucket: begunBuckets) }
      stopwatch.lap(.waiting)
      try begin(program)
      stopwatch.lap(.reduction)
    }
    if let exchangeFailure { throw exchangeFailure }
  }

  /// Adds up and publishes the buckets that the last microbatch is done with, and on the calling thread
  /// lets the exchange go on.
  private func finishBuckets(
    _ done: inout Int, after steps: Int, of part: StepProgram.Part, of program: StepProgram,
    worker index: Int
  ) {
    while done < part.finalSteps.count, part.finalSteps[done] <= steps {
      if let last = part.lastCompute {
        for case .add(let addition) in part.instructions[(last + 1)...] {
          workers[index].add(addition, replica.elements.buckets[done])
        }
      }
      done += 1
      publish(worker: index, buckets: done)
    }
    // One thread alone calls MPI.
    guard index == 0, exchangeFailure == nil else { return }
    stopwatch.lap(steps <= part.forwardSteps ? .forward : .backward)
    do throws(CommunicationError) {
      while begunBuckets < program.sum.bucketCount, isFinal(bucket: begunBuckets) {
        try begin(program)
      }
      for bucket in 0..<begunBuckets { try program.sum.progress(bucket) }
    } catch {
      exchangeFailure = error
    }
    stopwatch.lap(.hiddenReduction)
  }

  private func begin(_ program: StepProgram) throws(CommunicationError) {
    try flushingDenormals { () throws(CommunicationError) in
      try program.sum.begin(begunBuckets)
    }
    begunBuckets += 1
  }

  private func publish(worker: Int, buckets: Int) {
    memory.progress[group.localRank][worker].pointee.store(
      step * (replica.elements.buckets.count + 1) + buckets, ordering: .releasing)
  }

  /// Whether all workers of the group are done with a bucket of this step.
  private func isFinal(bucket: Int) -> Bool {
    let wanted = step * (replica.elements.buckets.count + 1) + bucket + 1
    return memory.progress.allSatisfy { workers in
      workers.allSatisfy { $0.pointee.load(ordering: .acquiring) >= wanted }
    }
  }
}
