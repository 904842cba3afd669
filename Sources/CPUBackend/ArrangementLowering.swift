// From steps that move or repeat elements to the kernels that do.
import Execution
import Graphs
import Kernels
import Tensors

extension Lowering {
  /// Repetition along axes.
  func broadcast(_ step: Step) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let plan = BroadcastPlan(shape(step.operands[0]), shape(step.results[0]))
    return { plan.expand($0[x], into: $0[target]) }
  }

  /// The last two axes exchanged.
  func transpose(_ step: Step) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let extents = shape(step.operands[0]).extents
    let (rows, columns) = (extents[extents.count - 2], extents[extents.count - 1])
    let matrices = extents.dropLast(2).reduce(1, *)
    return {
      Selection.transpose($0[x], count: matrices, rows: rows, columns: columns, into: $0[target])
    }
  }

  /// The axes in another order.
  func permute(_ step: Step, _ order: [Int]) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let (extents, strides) = (shape(step.results[0]).extents, shape(step.operands[0]).strides)
    let moved = order.map { strides[$0] }
    return { Selection.permute($0[x], extents: extents, strides: moved, into: $0[target]) }
  }

  /// Some elements of an axis.
  func slice(_ step: Step, axis: Int, start: Int) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let whole = shape(step.operands[0]).split(at: [axis])
    let part = shape(step.results[0]).split(at: [axis])
    let (from, length) = (whole.middle * whole.inner, part.middle * part.inner)
    return {
      Selection.copy(
        $0[x] + start * part.inner, count: part.outer, length: length, from: from, to: length,
        into: $0[target])
    }
  }

  /// Zeros around the elements of an axis.
  func pad(_ step: Step, axis: Int, before: Int) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let (part, result) = (shape(step.operands[0]).split(at: [axis]), shape(step.results[0]))
    let (length, to) = (part.middle * part.inner, result.split(at: [axis]).middle * part.inner)
    let count = result.count
    return {
      Elementwise.fill(0, into: $0[target], count: count)
      Selection.copy(
        $0[x], count: part.outer, length: length, from: length, to: to,
        into: $0[target] + before * part.inner)
    }
  }

  /// Two operands one after the other along an axis.
  func concatenate(_ step: Step, axis: Int) -> Call {
    let (a, b) = (step.operands[0].location, step.operands[1].location)
    let target = step.results[0].location
    let first = shape(step.operands[0]).split(at: [axis])
    let second = shape(step.operands[1]).split(at: [axis])
    let lengths = (first.middle * first.inner, second.middle * second.inner)
    let to = lengths.0 + lengths.1
    return {
      Selection.copy(
        $0[a], count: first.outer, length: lengths.0, from: lengths.0, to: to, into: $0[target])
      Selection.copy(
        $0[b], count: first.outer, length: lengths.1, from: lengths.1, to: to,
        into: $0[target] + lengths.0)
    }
  }

  /// The same elements elsewhere.
  func copy(_ step: Step) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let count = shape(step.results[0]).count
    return { Elementwise.copy($0[x], into: $0[target], count: count) }
  }

  /// Rows of a table, by class numbers.
  func gather(_ step: Step) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let (table, rows) = (shape(step.operands[0]), shape(step.operands[1]).count)
    let (classes, columns) = (table[0], table.axisCount == 2 ? table[1] : 1)
    let labels = step.operands[1].location.offset
    return {
      Selection.gather(
        $0[x], labels: $0.labels + labels, rows: rows, classes: classes, columns: columns,
        into: $0[target])
    }
  }

  /// Rows of a table, by numbers.
  func embedding(_ step: Step) -> Call {
    let (x, numbers) = (step.operands[0].location, step.operands[1].location)
    let (target, table) = (step.results[0].location, shape(step.operands[0]))
    let numberCount = shape(step.operands[1]).count
    return {
      Embedding.rows(
        of: $0[x], count: table[0], units: table[1], numbers: $0[numbers],
        numberCount: numberCount, into: $0[target])
    }
  }

  /// The cotangent of a table.
  func embeddingGradient(_ step: Step, count: Int) -> Call {
    let (c, numbers) = (step.operands[0].location, step.operands[1].location)
    let (target, units) = (step.results[0].location, shape(step.results[0])[1])
    let numberCount = shape(step.operands[1]).count
    return {
      Embedding.sums(
        $0[c], numbers: $0[numbers], numberCount: numberCount, count: count, units: units,
        into: $0[target])
    }
  }
}

extension Shape {
  /// The elements from one index of each axis to the next.
  fileprivate var strides: [Int] {
    extents.indices.map { extents[($0 + 1)...].reduce(1, *) }
  }
}
