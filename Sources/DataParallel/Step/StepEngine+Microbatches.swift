// Groups of microbatches one by one, and the buckets of elements whose exchange begins during the last of them.
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
    do {
      for (position, bound) in part.groups.enumerated() {
        try load(bound, worker, of: source, row: row)
        let isLast = position == part.groups.count - 1
        run(bound, of: program, worker: index, beginsExchanges: isLast)
        // The sums after the last group have been made bucket by bucket.
        guard !bound.group.additions.isEmpty, group.isWholeJob || !isLast else { continue }
        for addition in bound.group.additions { worker.add(addition, 0..<worker.slots[0].count) }
        worker.stopwatch?.lap(.backward)
      }
    } catch {
      worker.failure = error
    }
    publishAll(program, worker: index)
  }

  /// Reads the rows of a group.
  func load(
    _ bound: BoundGroup, _ worker: StepWorker, of source: any RowSource, row: (Int) -> Int
  ) throws {
    let first = bound.group.rows.lowerBound
    try worker.runner.load(bound.compiled, of: source) { row(first + $0) }
  }

  /// Computes a group, or one segment of it, and notes the sums over the rows of its microbatches.
  func run(
    _ bound: BoundGroup, segment: Int? = nil, of program: StepProgram, worker index: Int,
    beginsExchanges: Bool
  ) {
    let (compiled, runner) = (bound.compiled, workers[index].runner)
    let draws = Draws(seed: seed, step: step, firstRow: bound.group.rows.lowerBound)
    if group.isWholeJob || !beginsExchanges {
      runner.run(compiled, segment: segment, draws: draws, gradients: bound.gradients)
    } else {
      let part = program.parts[index]
      var finishedBuckets = 0
      runner.run(
        compiled, segment: segment, draws: draws, gradients: bound.gradients,
        milestones: part.milestones
      ) { steps in
        finishBuckets(&finishedBuckets, after: steps, of: part, of: program, worker: index)
      }
    }
    for (position, number) in bound.group.microbatches.enumerated() {
      ownSums[number - microbatches.lowerBound] = compiled.sums[position]
    }
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

  /// Adds up and publishes the buckets that the last group has finished, and drives exchanges on the
  /// calling thread.
  private func finishBuckets(
    _ finished: inout Int, after steps: Int, of part: StepProgram.Part, of program: StepProgram,
    worker index: Int
  ) {
    while finished < part.finalSteps.count, part.finalSteps[finished] <= steps {
      for addition in part.groups[part.groups.count - 1].group.additions {
        workers[index].add(addition, replica.elements.buckets[finished])
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

  /// Tells the ranks of the group that a worker is done; also after a failure or without microbatches, or the
  /// other ranks would wait.
  func publishAll(_ program: StepProgram, worker: Int) {
    if !group.isWholeJob { publish(worker: worker, buckets: program.sum.bucketCount) }
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
