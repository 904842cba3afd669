// Leaves, sums, rows and tables, taken apart into single numbers.
import Graphs
import Tensors

extension ScalarBuilder {
  /// Takes apart leaves and constants; nil for other operations.
  mutating func leafElements(of node: Graph.Node) throws(DrawingError) -> [Int]? {
    var result: [Int] = []
    switch graph[node].operation {
    case .data, .labels, .parameter:
      let shape = shape(of: node)
      guard shape.count <= Diagram.scalarLimit else {
        throw .tooLarge(.scalar, found: shape.count, limit: Diagram.scalarLimit)
      }
      for position in 0..<shape.count {
        let title = name(graph[node].name ?? "", position, shape)
        result.append(try box(Diagram.Box(role: Diagram.Role(graph[node].operation), title: title)))
      }
    case .constant(let values):
      for value in values { result.append(try number(value)) }
    case .fill(let value):
      let one = try number(value)
      result = Array(repeating: one, count: shape(of: node).count)
    case .dropoutMask:
      let shape = shape(of: node)
      for position in 0..<shape.count {
        let title = name("mask", position, shape)
        result.append(try box(Diagram.Box(role: Diagram.Role(graph[node].operation), title: title)))
      }
    default: return nil
    }
    return result
  }

  /// Takes apart matrix products and reductions; nil for other operations.
  mutating func summedElements(of node: Graph.Node) throws(DrawingError) -> [Int]? {
    let inputs = graph[node].inputs
    var result: [Int] = []
    switch graph[node].operation {
    case .matmul(let transposeLHS, let transposeRHS):
      let (A, B) = (shape(of: inputs[0]), shape(of: inputs[1]))
      let (a, b) = (elements[inputs[0]] ?? [], elements[inputs[1]] ?? [])
      let (rowCount, depth) = transposeLHS ? (A[1], A[0]) : (A[0], A[1])
      let columnCount = transposeRHS ? B[0] : B[1]
      for row in 0..<rowCount {
        for column in 0..<columnCount {
          var products: [Int] = []
          for k in 0..<depth {
            let left = a[transposeLHS ? k * A[1] + row : row * A[1] + k]
            let right = b[transposeRHS ? column * B[1] + k : k * B[1] + column]
            products.append(try emit("×", [left, right]))
          }
          result.append(products.isEmpty ? try number(0) : try sum(products))
        }
      }
    case .sum(let axes):
      for operands in reduced(node, axes) {
        result.append(operands.isEmpty ? try number(0) : try sum(operands))
      }
    case .mean(let axes):
      for operands in reduced(node, axes) {
        let total = operands.isEmpty ? try number(0) : try sum(operands)
        result.append(
          operands.count == 1 ? total : try emit(MathText("÷ \(operands.count)"), [total]))
      }
    case .squaredNorm(let axes):
      for operands in reduced(node, axes) {
        var squares: [Int] = []
        for operand in operands { squares.append(try emit("□²", [operand])) }
        result.append(squares.isEmpty ? try number(0) : try sum(squares))
      }
    default: return nil
    }
    return result
  }

  /// Takes apart softmax and losses, row by row; nil for other operations.
  mutating func rowElements(of node: Graph.Node) throws(DrawingError) -> [Int]? {
    let inputs = graph[node].inputs
    var result: [Int] = []
    switch graph[node].operation {
    case .logSumExp:
      for row in rows(inputs[0]) { result.append(try logSum(row)) }
    case .softmax:
      for row in rows(inputs[0]) { result += try softmax(row) }
    case .logSoftmax:
      for row in rows(inputs[0]) {
        let total = try logSum(row)
        for element in row {
          result.append(try emit("−", [element, total], inverse: 1))
        }
      }
    case .softmaxCrossEntropy:
      for (row, label) in zip(rows(inputs[0]), elements[inputs[1]] ?? []) {
        let total = try logSum(row)
        let chosen = try emit("choose", row + [label])
        result.append(try emit("−", [total, chosen], inverse: 1))
      }
    case .softmaxCrossEntropyGradient:
      let cotangents = elements[inputs[0]] ?? []
      for (position, row) in rows(inputs[1]).enumerated() {
        let label = elements[inputs[2]]?[position] ?? 0
        for (number, probability) in try softmax(row).enumerated() {
          let indicator = try emit(MathText("= \(number)?"), [label])
          let difference = try emit("−", [probability, indicator], inverse: 1)
          result.append(try emit("×", [cotangents[position], difference]))
        }
      }
    case .meanSquaredError:
      let (a, b) = (elements[inputs[0]] ?? [], elements[inputs[1]] ?? [])
      let rowCount = shape(of: node).count
      let width = rowCount == 0 ? 0 : a.count / rowCount
      for row in 0..<rowCount {
        var squares: [Int] = []
        for position in row * width..<(row + 1) * width {
          let difference = try emit("−", [a[position], b[position]], inverse: 1)
          squares.append(try emit("□²", [difference]))
        }
        let total = squares.isEmpty ? try number(0) : try sum(squares)
        result.append(width <= 1 ? total : try emit(MathText("÷ \(width)"), [total]))
      }
    default: return nil
    }
    return result
  }

  /// Takes apart rows of tables and indicators of labels; nil for other operations.
  mutating func tableElements(of node: Graph.Node) throws(DrawingError) -> [Int]? {
    let inputs = graph[node].inputs
    var result: [Int] = []
    switch graph[node].operation {
    case .embeddingGradient(let count):
      let (cotangents, numbers) = (elements[inputs[0]] ?? [], elements[inputs[1]] ?? [])
      let units = shape(of: node)[1]
      for row in 0..<count {
        let isNamed = try numbers.map { (number) throws(DrawingError) in
          try emit(MathText("= \(row)?"), [number])
        }
        for unit in 0..<units {
          var terms: [Int] = []
          for (position, indicator) in isNamed.enumerated() {
            terms.append(try emit("×", [cotangents[position * units + unit], indicator]))
          }
          result.append(terms.isEmpty ? try number(0) : try sum(terms))
        }
      }
    case .gather, .embedding:
      let (table, all) = (shape(of: inputs[0]), elements[inputs[0]] ?? [])
      let width = table[0] == 0 ? 0 : all.count / table[0]
      for label in elements[inputs[1]] ?? [] {
        for position in 0..<width {
          let candidates = (0..<table[0]).map { all[$0 * width + position] }
          result.append(try emit("choose", candidates + [label]))
        }
      }
    case .oneHot(let classes):
      for label in elements[inputs[0]] ?? [] {
        for number in 0..<classes { result.append(try emit(MathText("= \(number)?"), [label])) }
      }
    default: return nil
    }
    return result
  }
}
