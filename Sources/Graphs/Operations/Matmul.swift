// The matrix product.
import Tensors

struct MatmulRule: OperationRule {
  let transposeLHS: Bool
  let transposeRHS: Bool
  static let signature = OperationSignature(
    "matmul", operands: 2, .matmul(transposeLHS: false, transposeRHS: false))
  /// The names of the four products: `n` for an operand as it is, `t` for its transpose.
  static let signatures = [
    signature,
    OperationSignature(
      "matmul_nt", operands: 2, .matmul(transposeLHS: false, transposeRHS: true)),
    OperationSignature(
      "matmul_tn", operands: 2, .matmul(transposeLHS: true, transposeRHS: false)),
    OperationSignature("matmul_tt", operands: 2, .matmul(transposeLHS: true, transposeRHS: true)),
  ]
  var name: String {
    "matmul"
      + (transposeLHS || transposeRHS
        ? "_\(transposeLHS ? "t" : "n")\(transposeRHS ? "t" : "n")" : "")
  }
  var label: String { "matmul" }

  /// `[rows, depth] · [depth, columns]`, each as it is after its transposition.
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs.allSatisfy({ $0.axisCount == 2 }) else {
      throw ShapeFault("found \(inputs[0]) and \(inputs[1]), expected two axes each")
    }
    let (rows, depth) =
      transposeLHS ? (inputs[0][1], inputs[0][0]) : (inputs[0][0], inputs[0][1])
    let (otherDepth, columns) =
      transposeRHS ? (inputs[1][1], inputs[1][0]) : (inputs[1][0], inputs[1][1])
    guard depth == otherDepth else {
      throw ShapeFault(
        "operands disagree on the summed axis (\(depth) and \(otherDepth)): \(inputs[0])"
          + (transposeLHS ? "ᵀ" : "") + " and \(inputs[1])" + (transposeRHS ? "ᵀ" : ""))
    }
    return SymbolicShape([rows, columns])
  }

  /// For `Y = A·B`: `C·Bᵀ` and `Aᵀ·C`; where an operand is transposed, the transpose of that.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let (a, b, c) = (call.inputs[0], call.inputs[1], call.cotangent)
    var results: [Graph.Node?] = [nil, nil]
    if call.isWanted[0] {
      results[0] =
        transposeLHS
        ? try graph.add(.matmul(transposeLHS: transposeRHS, transposeRHS: true), [b, c])
        : try graph.add(.matmul(transposeLHS: false, transposeRHS: !transposeRHS), [c, b])
    }
    if call.isWanted[1] {
      results[1] =
        transposeRHS
        ? try graph.add(.matmul(transposeLHS: true, transposeRHS: transposeLHS), [c, a])
        : try graph.add(.matmul(transposeLHS: !transposeLHS, transposeRHS: false), [a, c])
    }
    return results
  }

  /// `S·B + A·T`, of the tangents S of A and T of B.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    func product(_ a: Graph.Node?, _ b: Graph.Node?) throws(GraphError) -> Graph.Node? {
      guard let a, let b else { return nil }
      return try graph.matmul(a, b, transposingLHS: transposeLHS, transposingRHS: transposeRHS)
    }
    return try graph.sum(
      product(call.tangents[0], call.inputs[1]), product(call.inputs[0], call.tangents[1]),
      shape: graph.shape(of: call.node))
  }
  var sumsRows: Bool { true }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    !transposeLHS && operands[1].isFixed
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let depth = inputs[0].shape[transposeLHS ? 0 : 1]
    let (rowStride, lhsStride) = transposeLHS ? (1, rows) : (depth, 1)
    var values = Array(repeating: 0.0, count: rows * columns)
    inputs[0].values.withUnsafeBufferPointer { a in
      inputs[1].values.withUnsafeBufferPointer { b in
        // Either way an element adds its terms in the order of k, and `B` is read along its rows.
        for i in 0..<rows where transposeRHS {
          for j in 0..<columns {
            var sum = 0.0
            for k in 0..<depth { sum += a[i * rowStride + k * lhsStride] * b[j * depth + k] }
            values[i * columns + j] = sum
          }
        }
        for i in 0..<rows where !transposeRHS {
          for k in 0..<depth {
            let x = a[i * rowStride + k * lhsStride]
            for j in 0..<columns { values[i * columns + j] += x * b[k * columns + j] }
          }
        }
      }
    }
    return Tensor(shape: shape, values: values)
  }
}
