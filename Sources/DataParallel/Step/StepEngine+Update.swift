// The second half of a step: from the gradients of microbatches to new parameters.
package import Communication
import Execution
import Numerics
package import Optimizers
package import Tensors

extension StepEngine {
  /// The number of elements that are added and updated before the next ones, so that they stay in the cache.
  private static let chunkLength = 8 * FlatLayout.blockLength

  /// Adds the gradients of the step that was computed last and updates the parameters.
  ///
  /// An optimizer that needs norms before it can change a parameter goes over the elements more than
  /// once: its first pass adds gradients in place, and the next one reads the sums.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - rowCount: The number of rows of the step.
  ///   - step: The factors by which the sum of gradients changes the parameters.
  /// - Returns: The norm of the mean gradient if it is clipped by norm; if that is not a finite number,
  ///   nothing was changed.
  /// - Throws: `CommunicationError`.
  package func update(
    rowCount: Int, _ step: Optimizer.Step
  ) throws(CommunicationError) -> Double? {
    let sum = program(for: rowCount).sum
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
        pool.runOnChunks(
          of: sum.owned(bucket), length: StepEngine.chunkLength,
          alignment: replica.elements.alignment
        ) { worker, chunk in
          sum.sum(chunk, in: bucket, isAdded: !isFirst) { range, gradient in
            if worker == 0, isShared { stopwatch.lap(.reduction) }
            if isFirst { optimizer.clipValues(of: gradient, step, range) }
            optimizer.run(pass, step, replica.parameters, gradient: gradient, elements: range)
            if pass == .change { replica.advanceAverage(step, elements: range) }
            if worker == 0 { stopwatch.lap(.optimizer) }
          }
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
    group.barrier()
    stopwatch.lap(.waiting)
    return norm
  }

  /// Updates all elements of this rank's own copy from the whole sum, as every rank does.
  private func updateWhole(
    _ sum: GradientSum, _ step: Optimizer.Step
  ) throws(CommunicationError) -> Double? {
    for bucket in 0..<sum.bucketCount {
      try sum.finish(bucket)
      stopwatch.lap(.reduction)
      pool.runOnChunks(
        of: sum.owned(bucket), length: StepEngine.chunkLength,
        alignment: replica.elements.alignment
      ) { worker, chunk in
        sum.sum(chunk, in: bucket, isAdded: false) { range, gradient in
          if worker == 0 { stopwatch.lap(.reduction) }
          replica.optimizer.clipValues(of: gradient, step, range)
          guard gradient != sumVector.pointer else { return }
          replica.arithmetic.copy(
            gradient + range.lowerBound, into: sumVector.pointer + range.lowerBound,
            count: range.count)
        }
      }
      stopwatch.lap(.waiting)
      try replica.startSharing(bucket, of: sumVector)
    }
    stopwatch.lap(.reduction)
    try replica.finishSharing()
    stopwatch.lap(.reduction)
    group.barrier()
    stopwatch.lap(.waiting)
    let norm = updateAll(from: sumVector.pointer, step)
    // The sum lies where the next step computes.
    group.barrier()
    stopwatch.lap(.waiting)
    return norm
  }

  /// Updates all elements on this rank alone, from a whole sum whose elements have been clipped.
  ///
  /// - Returns: The norm of the mean gradient, as ``update(rowCount:_:)`` returns it.
  package func updateAll(from gradient: UnsafePointer<Float>, _ step: Optimizer.Step) -> Double? {
    let optimizer = replica.optimizer
    var step = optimizer.begin(step)
    var norm: Double?
    for pass in optimizer.passes {
      pool.runOnRanges(of: replica.layout.count, alignment: FlatLayout.blockLength) { _, range in
        optimizer.run(pass, step, replica.parameters, gradient: gradient, elements: range)
        if pass == .change { replica.advanceAverage(step, elements: range) }
      }
      norm = optimizer.conclude(pass, &step) ?? norm
      if let norm, !norm.isFinite { return norm }
    }
    stopwatch.lap(.optimizer)
    return norm
  }

  /// Adds the gradients of this rank's only worker in any order.
  ///
  /// - Returns: The sum; zeros on a rank without microbatches.
  package func addOwnGradients(rowCount: Int) -> FloatBuffer {
    let gradient = workers[0].slots[0]
    let subtrees = program(for: rowCount).tree.maximalNodes(in: microbatches)
    if subtrees.isEmpty { gradient.pointer.update(repeating: 0, count: gradient.count) }
    for slot in subtrees.indices.dropFirst() {
      replica.arithmetic.add(
        gradient.pointer, workers[0].slots[slot].pointer, count: gradient.count)
    }
    return gradient
  }
}
