// Whole microbatches one by one, and the buckets of elements whose exchange begins during the last of them.
import Communication
import Numerics
import Synchronization
import Tensors

extension StepEngine {
  /// Computes the microbatches of one worker and the sums of its subtrees.
  func compute(
    _ program: StepProgram, worker index: Int, of source: any RowSource, row: (Int) -> Int
  ) {
    let worker = workers[index]
    let part = program.parts[index]
    if index > 0 { worker.stopwatch?.start() }
    var finishedBuckets = 0
    do {
      for (position, instruction) in part.instructions.enumerated() {
        switch instruction {
        case .compute(let number, let slot):
          let rows = program.cut[number]
          let runner = worker.runners[0]
          let microbatch = try runner.load(rows.count, of: source) { row(rows.lowerBound + $0) }
          if group.isWholeJob || position != part.lastCompute {
            runner.run(microbatch, draws: draws(for: rows), gradient: worker.slots[slot])
          } else {
            runner.run(
              microbatch, draws: draws(for: rows), gradient: worker.slots[slot],
              milestones: part.milestones
            ) { steps in
              finishBuckets(&finishedBuckets, after: steps, of: part, of: program, worker: index)
            }
          }
          ownSums[number - microbatches.lowerBound] = microbatch.sums
        case .add(let addition):
          // The sums after the last microbatch have been made bucket by bucket.
          if !group.isWholeJob, position > part.lastCompute ?? -1 { continue }
          worker.add(addition, 0..<worker.slots[0].count)
          worker.stopwatch?.lap(.backward)
        }
      }
    } catch {
      worker.failure = error
    }
    // Also after a failure or without microbatches, or the other ranks would wait.
    if !group.isWholeJob { publish(worker: index, buckets: program.sum.bucketCount) }
  }

  /// Returns the key of the random numbers of some rows of this step.
  func draws(for rows: Range<Int>) -> Draws {
    Draws(seed: seed, step: step, firstRow: rows.lowerBound)
  }

  /// Adds the gradients of a worker whose microbatches have all been computed, and publishes the sums.
  func addAll(_ program: StepProgram, worker index: Int) {
    for case .add(let addition) in program.parts[index].instructions {
      workers[index].add(addition, 0..<workers[index].slots[0].count)
    }
    if !group.isWholeJob { publish(worker: index, buckets: program.sum.bucketCount) }
  }

  // MARK: Buckets.

  /// Waits for the workers of the group, bucket by bucket, and begins the exchanges that have not begun.
  func beginRemainingBuckets(of program: StepProgram) throws(CommunicationError) {
    while begunBuckets < program.sum.bucketCount {
      group.wait { isFinal(bucket: begunBuckets) }
      stopwatch.lap(.waiting)
      try begin(program)
      stopwatch.lap(.reduction)
    }
    if let exchangeFailure { throw exchangeFailure }
  }

  /// Adds up and publishes the buckets that the last microbatch has finished, and drives exchanges on the
  /// calling thread.
  private func finishBuckets(
    _ finished: inout Int, after steps: Int, of part: StepProgram.Part, of program: StepProgram,
    worker index: Int
  ) {
    while finished < part.finalSteps.count, part.finalSteps[finished] <= steps {
      if let last = part.lastCompute {
        for case .add(let addition) in part.instructions[(last + 1)...] {
          workers[index].add(addition, replica.elements.buckets[finished])
        }
      }
      finished += 1
      publish(worker: index, buckets: finished)
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

  /// Begins the exchange of the next bucket.
  private func begin(_ program: StepProgram) throws(CommunicationError) {
    try flushingDenormals { () throws(CommunicationError) in
      try program.sum.begin(begunBuckets)
    }
    begunBuckets += 1
  }

  /// Tells the ranks of the group how many buckets a worker has finished.
  private func publish(worker: Int, buckets: Int) {
    memory.progress[group.localRank][worker].pointee.store(
      step * (replica.elements.buckets.count + 1) + buckets, ordering: .releasing)
  }

  /// Returns true if all workers of the group have finished a bucket of this step.
  private func isFinal(bucket: Int) -> Bool {
    let wanted = step * (replica.elements.buckets.count + 1) + bucket + 1
    return memory.progress.allSatisfy { workers in
      workers.allSatisfy { $0.pointee.load(ordering: .acquiring) >= wanted }
    }
  }
}
