import Execution
// From the steps of a group to calls: for all rows at once, or microbatch by microbatch, with sums of gradients.
import Graphs
import Kernels

/// Binds the steps of a schedule for a group of microbatches to kernels.
struct GroupLowering {
  let group: MicrobatchGroup
  /// Room for operands in bfloat16.
  let rounding: BFloat16Operands
  /// Room for the sums of gradients that are not added yet.
  let partialSums: Location

  /// Returns the call that computes a step for the whole group.
  ///
  /// - Throws: ``PlanError/kernel(node:reason:)`` if the library refuses to make a primitive.
  func call(for step: Step) throws(PlanError) -> Call {
    guard step.scope == .microbatch else {
      return try Lowering(rowCount: group.rowCount, rounding: rounding).call(for: step)
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
    return Lowering(rowCount: rows.count, firstRow: rows.lowerBound, rounding: rounding)
  }

  /// The gradients of single microbatches, added in the order of each sum of the group.
  private func sumOfGradients(_ step: Step) throws(PlanError) -> Call {
    let gradient = step.results[0]
    let count = gradient.shape.fixedCount
    var sums: [(terms: [Term], index: Int)] = []
    for (index, sum) in group.sums.enumerated() {
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
      sums.append((terms, index))
    }
    return { [sums] bases in
      var own = bases
      for sum in sums {
        own.gradient = bases.gradients[sum.index]
        for term in sum.terms {
          term.call(own)
          for (a, b) in term.additions { FlatSum.add(own[a], own[b], count: count) }
        }
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
    return Location(partialSums.region, partialSums.offset + (depth - 1) * stride)
  }
}

extension Schedule {
  /// The elements of the sums of gradients that are there at once, besides those in the flat gradient.
  var partialSumCount: Int {
    let depth = group.sums.reduce(1) { max($0, $1.largestCount) } - 1
    guard depth > 0 else { return 0 }
    return steps.reduce(0) { largest, step in
      guard step.scope == .microbatch, step.results[0].location.region == .gradient else {
        return largest
      }
      return max(largest, MemoryPlan.rounded(step.results[0].shape.fixedCount) * depth)
    }
  }
}
