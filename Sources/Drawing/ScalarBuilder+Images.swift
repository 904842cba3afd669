// Images and normalized values, taken apart into single numbers.
import Graphs
import Tensors

extension ScalarBuilder {
  /// Takes apart products and windows of images; nil for other operations.
  mutating func imageElements(of node: Graph.Node) throws(DrawingError) -> [Int]? {
    let inputs = graph[node].inputs
    var result: [Int] = []
    switch graph[node].operation {
    case .convolution, .convolutionInputGradient, .convolutionWeightGradient:
      let (a, b) = (elements[inputs[0]] ?? [], elements[inputs[1]] ?? [])
      for pairs in graph.products(of: node, batch: drawn.rowCount) {
        var products: [Int] = []
        for pair in pairs { products.append(try emit("×", [a[pair.lhs], b[pair.rhs]])) }
        result.append(products.isEmpty ? try number(0) : try sum(products))
      }
    case .maxPool(let pooling):
      for window in covered(node, pooling) { result.append(try emit("max", window)) }
    case .maxPoolSelection(let pooling):
      let chosen = elements[inputs[0]] ?? []
      let windows = graph.windows(of: pooling, over: shape(of: inputs[0]), output: shape(of: node))
      for (window, x) in zip(windows, covered(inputs[1], pooling, output: node)) {
        result.append(try emit("at max", window.map { chosen[$0] } + x))
      }
    case .maxPoolGradient(let pooling):
      let (cotangents, all) = (elements[inputs[0]] ?? [], elements[inputs[1]] ?? [])
      let windows = graph.windows(of: pooling, over: shape(of: node), output: shape(of: inputs[0]))
      var terms: [[Int]] = Array(repeating: [], count: all.count)
      for (window, cotangent) in zip(windows, cotangents) {
        for position in window {
          let isMaximum = try emit(
            "is max?", [all[position]] + window.filter { $0 != position }.map { all[$0] })
          terms[position].append(try emit("×", [cotangent, isMaximum]))
        }
      }
      for term in terms { result.append(term.isEmpty ? try number(0) : try sum(term)) }
    case .averagePool(let pooling):
      for window in covered(node, pooling) {
        let total = window.isEmpty ? try number(0) : try sum(window)
        result.append(try emit(MathText("÷ \(pooling.kernelCount)"), [total]))
      }
    case .averagePoolGradient(let pooling, _):
      let cotangents = elements[inputs[0]] ?? []
      let windows = graph.windows(of: pooling, over: shape(of: node), output: shape(of: inputs[0]))
      var terms: [[Int]] = Array(repeating: [], count: shape(of: node).count)
      for (window, cotangent) in zip(windows, cotangents) {
        for position in window { terms[position].append(cotangent) }
      }
      for term in terms {
        let total = term.isEmpty ? try number(0) : try sum(term)
        result.append(try emit(MathText("÷ \(pooling.kernelCount)"), [total]))
      }
    default: return nil
    }
    return result
  }

  /// Takes apart means, variances and what is normalized by them; nil for other operations.
  mutating func normalizedElements(of node: Graph.Node) throws(DrawingError) -> [Int]? {
    let inputs = graph[node].inputs
    var result: [Int] = []
    switch graph[node].operation {
    case .moments(let normalization):
      let groups = reduced(
        node, normalization.axes, shape: Shape(Array(shape(of: node).extents.dropFirst())))
      for operands in groups { result.append(try emit("μ", operands)) }
      for operands in groups { result.append(try emit("var", operands)) }
    case .variance(let axes):
      for operands in reduced(node, axes) { result.append(try emit("var", operands)) }
    case .normalize(let normalization):
      let groups = try moments(of: inputs[0], normalization)
      let (scale, shift) = (elements[inputs[1]] ?? [], elements[inputs[2]] ?? [])
      for (position, x) in (elements[inputs[0]] ?? []).enumerated() {
        let group = groups[position]
        result.append(
          try emit("normalize", [x, group.box, scale[group.index], shift[group.index]]))
      }
    case .normalizeScaleGradient(let normalization):
      let groups = try moments(of: inputs[1], normalization)
      let (cotangents, x) = (elements[inputs[0]] ?? [], elements[inputs[1]] ?? [])
      var terms: [[Int]] = Array(repeating: [], count: shape(of: node).count)
      for position in x.indices {
        let normal = try emit("normalize", [x[position], groups[position].box])
        terms[groups[position].index].append(try emit("×", [cotangents[position], normal]))
      }
      for term in terms { result.append(term.isEmpty ? try number(0) : try sum(term)) }
    case .normalizeInputGradient(let normalization):
      let groups = try moments(of: inputs[1], normalization)
      let operands = inputs.map { elements[$0] ?? [] }
      for position in operands[0].indices {
        let group = groups[position]
        result.append(
          try emit(
            "normalize′",
            [operands[0][position], operands[1][position], group.box]
              + operands[2...].map { $0[group.index] }))
      }
    default: return nil
    }
    return result
  }
}
