package import Communication
import Execution
package import Optimizers
package import Tensors

/// The second half of a step, on all ranks and workers: from the gradients of microbatches to new
/// parameters.
///
/// Where the optimiser needs norms before it can change a parameter, the elements are gone over more
/// than once: gradients are added in place by the first pass and looked at again by the next.
package final class StepUpdater {
  private let replica: Replica
  private let pool: WorkerPool
  private let stopwatch: Stopwatch
  /// Where the whole sum of each element goes where every rank updates all of them.
  private let sumVector: FloatBuffer

  /// The elements that are added and updated before the next ones, so that they stay in the cache.
  private static let chunkLength = 8 * FlatLayout.blockLength

  package init(_ replica: Replica, pool: WorkerPool, sumVector: FloatBuffer, stopwatch: Stopwatch) {
    self.replica = replica
    self.pool = pool
    self.sumVector = sumVector
    self.stopwatch = stopwatch
  }

  /// Adds the gradients of the step that was computed last and updates the parameters.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - sum: How gradients are added.
  ///   - step: The numbers of the step.
  /// - Returns: The norm of the mean gradient where it is clipped by norm; if that is no finite number,
  ///   nothing was changed.
  /// - Throws: `CommunicationError`.
  package func update(
    _ sum: GradientSum, _ step: Optimizer.Step
  ) throws(CommunicationError) -> Double? {
    guard replica.isSharded else { return try updateWhole(sum, step) }
    let optimizer = replica.optimizer
    var step = optimizer.begin(step)
    var norm: Double?
    // One worker alone has added everything itself.
    let isShared = pool.count > 1 || !replica.isAlone
    for pass in optimizer.passes {
      let isFirst = pass == optimizer.passes[0]
      for bucket in 0..<sum.bucketCount {
        if isFirst, sum.isExchanged {
          try sum.finish(bucket)
          stopwatch.lap(.reduction)
        }
        forEachOwned(sum, bucket, isAdded: !isFirst) { index, range, gradient in
          if index == 0, isShared { stopwatch.lap(.reduction) }
          if isFirst { optimizer.clipValues(of: gradient, step, range) }
          replica.run(pass, step, gradient: gradient, elements: range)
          if index == 0 { stopwatch.lap(.optimizer) }
        }
        if isShared { stopwatch.lap(.waiting) }
        if pass == .change { try replica.startSharing(bucket, of: replica.parameters) }
      }
      guard pass != .change else { continue }
      try replica.exchangeSums(round: pass.round)
      stopwatch.lap(.waiting)
      norm = optimizer.conclude(pass, &step) ?? norm
      if let norm, !norm.isFinite { return norm }
    }
    guard !replica.isAlone else { return norm }
    try replica.finishSharing()
    stopwatch.lap(.reduction)
    replica.group.barrier()
    stopwatch.lap(.waiting)
    return norm
  }

  /// Lets every rank update all elements of its own copy from the whole sum.
  private func updateWhole(
    _ sum: GradientSum, _ step: Optimizer.Step
  ) throws(CommunicationError) -> Double? {
    for bucket in 0..<sum.bucketCount {
      try sum.finish(bucket)
      stopwatch.lap(.reduction)
      forEachOwned(sum, bucket, isAdded: false) { index, range, gradient in
        if index == 0 { stopwatch.lap(.reduction) }
        replica.optimizer.clipValues(of: gradient, step, range)
        guard gradient != sumVector.pointer else { return }
        replica.arithmetic.copy(
          gradient + range.lowerBound, into: sumVector.pointer + range.lowerBound,
          count: range.count)
      }
      stopwatch.lap(.waiting)
      try replica.startSharing(bucket, of: sumVector)
    }
    stopwatch.lap(.reduction)
    try replica.finishSharing()
    stopwatch.lap(.reduction)
    replica.group.barrier()
    stopwatch.lap(.waiting)
    let norm = updateAll(from: sumVector.pointer, step)
    // The sum lies where the next step computes.
    replica.group.barrier()
    stopwatch.lap(.waiting)
    return norm
  }

  /// Updates all elements on this rank alone, from a sum whose elements are bounded where that is asked
  /// for.
  ///
  /// - Parameters:
  ///   - gradient: The whole sum.
  ///   - step: The numbers of the step.
  /// - Returns: As ``update(_:_:)`` does.
  package func updateAll(from gradient: UnsafePointer<Float>, _ step: Optimizer.Step) -> Double? {
    let optimizer = replica.optimizer
    var step = optimizer.begin(step)
    var norm: Double?
    for pass in optimizer.passes {
      pool.runOnRanges(of: replica.layout.count, alignment: FlatLayout.blockLength) { _, range in
        replica.run(pass, step, gradient: gradient, elements: range)
      }
      norm = optimizer.conclude(pass, &step) ?? norm
      if let norm, !norm.isFinite { return norm }
    }
    stopwatch.lap(.optimizer)
    return norm
  }

  /// Calls `body` with successive ranges of what this rank owns of a bucket and where their sums are, on
  /// all workers.
  private func forEachOwned(
    _ sum: GradientSum, _ bucket: Int, isAdded: Bool,
    _ body: (_ worker: Int, Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    let owned = sum.owned(bucket)
    pool.runOnRanges(of: owned.count, alignment: replica.elements.alignment) { index, share in
      let share = owned.lowerBound + share.lowerBound..<owned.lowerBound + share.upperBound
      var start = share.lowerBound
      while start < share.upperBound {
        let end = min(start + StepUpdater.chunkLength, share.upperBound)
        sum.sum(start..<end, in: bucket, isAdded: isAdded) { body(index, $0, $1) }
        start = end
      }
    }
  }
}
