// The product of linear algebra, for one row of the batch at a time.
import Graphs

extension Builder {
  /// Adds `a·b`: of scalars with anything, of rows, columns and matrices.
  ///
  /// A column with a value per row of the batch, left of a column or matrix that has not, is a row of
  /// the data matrix: `x*θ` means `x'*θ` then, and `x*W` means `W'*x`.
  mutating func product(_ a: Value, _ b: Value) throws -> Value {
    if kind(a) == .scalar || kind(b) == .scalar { return try elementwise(.multiply, "*", a, b) }
    switch (kind(a), kind(b)) {
    case (.vector(let m), .vector(let n)):
      switch (a.isRow, b.isRow) {
      case (true, false) where m == n: return try inner(a, b)
      case (false, true): return try outer(a, b)
      case (false, false) where m == n && shape(a).isBatched && !shape(b).isBatched:
        return try inner(a, b)
      case (false, false) where m == n:
        throw fault("'*': expected a row and a column: x'*y, or x.*y element by element", a, b)
      default: throw unlike(a, b, m, n)
      }
    case (.matrix(_, let k), .vector(let n)):
      guard !b.isRow, k == n else { throw unlike(a, b, k, b.isRow ? 1 : n) }
      return try map(b, by: a, isTransposed: false)
    case (.vector(let n), .matrix(let k, _)):
      let isDataRow = !a.isRow && shape(a).isBatched && !shape(b).isBatched
      let lies = a.isRow || isDataRow
      guard lies, n == k else { throw unlike(a, b, lies ? n : 1, k) }
      var result = try map(a, by: b, isTransposed: true)
      result.isRow = a.isRow
      return result
    case (.matrix(_, let k), .matrix(let n, _)):
      guard k == n else { throw unlike(a, b, k, n) }
      return Value(node: try matrixProduct(a.node, b.node))
    default:
      throw fault("'*': expected scalars, vectors and matrices", a, b)
    }
  }

  private func unlike(_ a: Value, _ b: Value, _ m: Extent, _ n: Extent) -> Fault {
    fault("'*': the summed axis has \(m) on the left and \(n) on the right", a, b)
  }

  private mutating func inner(_ a: Value, _ b: Value) throws -> Value {
    let product = try graph.add(.multiply, [a.node, b.node])
    return Value(
      node: try graph.add(.sum(axes: [graph.shape(of: product).axisCount - 1]), [product]))
  }

  private mutating func outer(_ a: Value, _ b: Value) throws -> Value {
    let column = try graph.reshape(a.node, to: SymbolicShape(shape(a).extents + [1]))
    var extents = shape(b).extents
    extents.insert(1, at: extents.count - 1)
    let row = try graph.reshape(b.node, to: SymbolicShape(extents))
    return Value(node: try graph.add(.multiply, [column, row]))
  }

  /// The matrix that a transpose node transposes, where products can do that on the fly.
  private func source(_ matrix: Graph.Node) -> (node: Graph.Node, isTransposed: Bool) {
    let shape = graph.shape(of: matrix)
    if graph[matrix].operation == .transpose, !shape.extents.contains(.batch) {
      return (graph[matrix].inputs[0], true)
    }
    return (matrix, false)
  }

  /// Adds `W·x`, or `Wᵀ·x`, for a vector that stands or lies.
  private mutating func map(_ x: Value, by W: Value, isTransposed: Bool) throws -> Value {
    if shape(W).isBatched {
      // One matrix per row of the batch: a product of each with its vector, element by element.
      var extents = shape(x).extents
      extents.insert(1, at: extents.count - (isTransposed ? 0 : 1))
      let vector = try graph.reshape(x.node, to: SymbolicShape(extents))
      let product = try graph.add(.multiply, [W.node, vector])
      return Value(node: try graph.add(.sum(axes: [isTransposed ? 1 : 2]), [product]))
    }
    let (matrix, flips) = source(W.node)
    let operation = Graph.Operation.matmul(
      transposeLHS: false, transposeRHS: isTransposed == flips)
    if shape(x).isBatched { return Value(node: try graph.add(operation, [x.node, matrix])) }
    let row = try graph.reshape(x.node, to: SymbolicShape([1] + shape(x).extents))
    let product = try graph.add(operation, [row, matrix])
    return Value(node: try graph.reshape(product, to: [graph.shape(of: product)[1]]))
  }

  private mutating func matrixProduct(
    _ a: Graph.Node, _ b: Graph.Node
  ) throws -> Graph.Node {
    let (shapeA, shapeB) = (graph.shape(of: a), graph.shape(of: b))
    if !shapeA.isBatched && !shapeB.isBatched {
      let ((lhs, flipsA), (rhs, flipsB)) = (source(a), source(b))
      return try graph.matmul(lhs, rhs, transposingLHS: flipsA, transposingRHS: flipsB)
    }
    let left = try graph.reshape(a, to: SymbolicShape(shapeA.extents + [1]))
    var extents = shapeB.extents
    extents.insert(1, at: extents.count - 2)
    let right = try graph.reshape(b, to: SymbolicShape(extents))
    let product = try graph.add(.multiply, [left, right])
    return try graph.add(.sum(axes: [2]), [product])
  }
}
