import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Interpreter against JAX")
struct ReferenceTests {
  @Test(
    "values agree to 1e-12 and gradients to 1e-11", arguments: try ReferenceGraphs().operations)
  func operation(_ reference: ReferenceGraphs.OperationCase) throws {
    var graph = Graph()
    var values: [String: Tensor] = [:]
    // The first axis of the first operand is the batch; other shapes are fixed.
    var nodes: [Graph.Node] = []
    for (index, operand) in reference.operands.enumerated() {
      nodes.append(
        try graph.data("operand\(index)", shape: symbolic(operand.tensor.shape, of: reference)))
      values["operand\(index)"] = operand.tensor
    }
    let numbers = nodes
    if let labels = reference.labels {
      nodes.append(try graph.labels("labels"))
      values["labels"] = labels.tensor
    }
    let output = try graph.add(operationNamed(reference), nodes)
    let cotangent = try graph.data("cotangent", shape: graph.shape(of: output))
    values["cotangent"] = reference.cotangent.tensor
    let gradients = try graph.gradient(
      of: output, cotangent: cotangent, withRespectTo: numbers)
    let found = try graph.evaluate([output] + gradients, with: values, batch: 4)
    #expect(relativeDistance(found[0], reference.value.tensor) < 1e-12)
    for (gradient, expected) in zip(found.dropFirst(), reference.gradients) {
      #expect(relativeDistance(gradient, expected.tensor) < 1e-11)
    }
  }

  private func symbolic(
    _ shape: Shape, of reference: ReferenceGraphs.OperationCase
  ) -> SymbolicShape {
    // Class numbers and factors such as 1/batch need the symbol, the others are the same without.
    let isSymbolic = reference.labels != nil || reference.name == "scale by batch"
    return isSymbolic
      ? SymbolicShape([.batch] + SymbolicShape(shape).extents.dropFirst()) : SymbolicShape(shape)
  }

  private func operationNamed(
    _ reference: ReferenceGraphs.OperationCase
  ) throws -> Graph.Operation {
    let words = reference.name.split(separator: " ").map(String.init)
    let axes = words.last.map { $0.split(separator: ",").compactMap { Int($0) } } ?? []
    let shape = SymbolicShape(reference.value.tensor.shape)
    let table: [String: Graph.Operation] = [
      "scale": .scale(Factor(-1.75)), "scale by batch": .scale(Factor(3, batchPower: -1)),
      "exp": .exp, "log": .log, "square": .square, "sigmoid": .sigmoid, "tanh": .tanh,
      "relu": .relu, "add": .add, "subtract": .subtract, "multiply": .multiply, "divide": .divide,
      "relu gradient": .reluGradient, "sigmoid gradient": .sigmoidGradient,
      "tanh gradient": .tanhGradient,
      "matmul": .matmul(transposeLHS: false, transposeRHS: false),
      "matmul nt": .matmul(transposeLHS: false, transposeRHS: true),
      "matmul tn": .matmul(transposeLHS: true, transposeRHS: false),
      "matmul tt": .matmul(transposeLHS: true, transposeRHS: true),
      "reshape": .reshape(shape), "broadcast": .broadcast(shape),
      "softmax": .softmax, "log-softmax": .logSoftmax,
      "softmax cross-entropy": .softmaxCrossEntropy,
      "softmax cross-entropy, far apart": .softmaxCrossEntropy,
      "softmax cross-entropy gradient": .softmaxCrossEntropyGradient,
      "mean squared error": .meanSquaredError,
    ]
    if let operation = table[reference.name] { return operation }
    switch words.dropLast().joined(separator: " ") {
    case "sum": return .sum(axes: axes)
    case "mean": return .mean(axes: axes)
    case "squared norm": return .squaredNorm(axes: axes)
    default: throw UnknownCase(name: reference.name)
    }
  }

  private struct UnknownCase: Error {
    let name: String
  }
}
