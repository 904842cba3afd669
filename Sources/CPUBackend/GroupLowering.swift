// From the steps of a group to calls: for all rows at once, or microbatch by microbatch, with sums of gradients.
import Execution
import Graphs
import Kernels

/// Binds the steps of a schedule for a group of microbatches to kernels.
struct GroupLowering {
  let group: MicrobatchGroup
  /// Room for operands in bfloat16.
  let rounding: BFloat16Operands
  /// Room for packed operands.
  let scratch: Scratch
  /// Makes room for the sums of gradients that are not added yet, behind the values of the schedule.
  let arena: Arena
  /// The elements of those values.
  let arenaCount: Int

  /// Returns the call that computes a step for the whole group.
  ///
  /// - Throws: ``PlanError/kernel(node:reason:)`` if the library refuses to make a primitive.
  func call(for step: Step) throws(PlanError) -> Call {
    guard step.scope == .microbatch else {
      return try Lowering(rowCount: group.rowCount, rounding: rounding, scratch: scratch).call(
        for: step)
    }
    if step.results[0].location.region == .gradient { return try sumOfGradients(step) }
    var calls: [BoundStep] = []
    for microbatch in group.rows.indices {
      let part = group.part(of: step, microbatch)
      calls.append(BoundStep(call: try lowering(microbatch).call(for: part)))
    }
    return { [calls] bases in
      for step in calls { step.call(bases) }
    }
  }

  private func lowering(_ microbatch: Int) -> Lowering {
    let rows = group.rows[microbatch]
    return Lowering(
      rowCount: rows.count, firstRow: rows.lowerBound, rounding: rounding, scratch: scratch)
  }

  /// The gradients of single microbatches, added in the order of each sum of the group.
  private func sumOfGradients(_ step: Step) throws(PlanError) -> Call {
    var sums: [BoundStep] = []
    for sum in group.sums {
      if let call = try fused(step, sum) {
        sums.append(BoundStep(call: call))
      } else {
        sums.append(BoundStep(call: try apart(step, sum)))
      }
    }
    return { [sums] bases in
      var own = bases
      for (index, sum) in sums.enumerated() {
        own.gradient = bases.gradients[index]
        sum.call(own)
      }
    }
  }

  /// One kernel for all microbatches of a sum; nil where there is none.
  private func fused(_ step: Step, _ sum: MicrobatchGroup.Sum) throws(PlanError) -> Call? {
    let parts = step.operands.map { group.part(of: $0, sum.microbatches.lowerBound) }
    guard step.operands.allSatisfy({ $0.spread.isRows }) else { return nil }
    let rowCounts = group.rows[sum.microbatches].map(\.count)
    let (a, target) = (parts[0].location, step.results[0].location)
    if case .product(let product) = step.action,
      product.operation == .matmul(transposeLHS: true, transposeRHS: false),
      product.precision == .float, !product.hasBias, product.activation == nil
    {
      let b = parts[1].location
      let kernel = GradientMatmul(
        lhsColumns: parts[0].shape.fixedCount, rhsColumns: parts[1].shape.fixedCount,
        rowCounts: rowCounts, additions: sum.additions, scratch: scratch)
      return { kernel.run(lhs: $0[a], rhs: $0[b], into: $0[target]) }
    }
    if case .product(let product) = step.action,
      case .convolutionWeightGradient(let convolution) = product.operation
    {
      return try Lowering(
        rowCount: rowCounts.reduce(0, +), rounding: rounding, scratch: scratch
      ).convolution(
        group.part(of: step, sum.microbatches.lowerBound), product, convolution, .weightGradient,
        rowCounts: rowCounts, additions: sum.additions)
    }
    if case .operation(.sum(let axes)) = step.action {
      let (outer, middle, inner) = parts[0].shape.resolved(batch: 1).split(at: axes)
      guard outer == 1, middle > 0, axes.contains(0) else { return nil }
      let kernel = GradientColumnSum(
        columns: inner, rowCounts: rowCounts.map { $0 * middle }, additions: sum.additions)
      return { kernel.run($0[a], into: $0[target]) }
    }
    return nil
  }

  /// The step for each microbatch of a sum, and the additions between.
  private func apart(_ step: Step, _ sum: MicrobatchGroup.Sum) throws(PlanError) -> Call {
    let gradient = step.results[0]
    let count = gradient.shape.fixedCount
    arena.reserve(count: arenaCount + (sum.largestCount - 1) * MemoryPlan.rounded(count))
    var terms: [Term] = []
    var depth = 0
    for (microbatch, additions) in zip(sum.microbatches, sum.additions) {
      let place = place(of: gradient, count, depth: depth)
      let part = group.part(of: step.replacingResult(Value(place, gradient.shape)), microbatch)
      let call = try lowering(microbatch).call(for: part)
      depth += 1
      var pairs: [(Location, Location)] = []
      for _ in 0..<additions {
        depth -= 1
        pairs.append(
          (
            self.place(of: gradient, count, depth: depth - 1),
            self.place(of: gradient, count, depth: depth)
          ))
      }
      terms.append(Term(call: call, additions: pairs))
    }
    return { [terms] bases in
      for term in terms {
        term.call(bases)
        for (a, b) in term.additions { FlatSum.add(bases[a], bases[b], count: count) }
      }
    }
  }

  /// The gradient of one microbatch, and the additions that can be done once it is there.
  private struct Term {
    let call: Call
    let additions: [(Location, Location)]
  }

  /// The place of the sum that so many others are there before.
  private func place(of gradient: Value, _ count: Int, depth: Int) -> Location {
    guard depth > 0 else { return gradient.location }
    let stride = MemoryPlan.rounded(count)
    return Location(.arena, arenaCount + (depth - 1) * stride)
  }
}

extension Spread {
  /// True if microbatches have rows of one value.
  fileprivate var isRows: Bool {
    if case .rows = self { true } else { false }
  }
}
