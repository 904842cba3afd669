import CPUBackend
import Execution
import Expressions
import Foundation
import Graphs
import Tensors
import TestSupport
import Testing

/// The committed numbers of Tests/Reference/expressions.py.
private struct Reference: Decodable {
  enum Extent: Decodable {
    case batch
    case fixed(Int)
    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      self = (try? container.decode(Int.self)).map(Extent.fixed) ?? .batch
    }
  }

  struct Case: Decodable {
    let text: String
    let inputs: Int
    let value: [Double]
    let gradients: [String: [Double]]
  }

  let shapes: [String: [Extent]]
  let inputs: [[String: [Double]]]
  let cases: [Case]

  init() throws {
    let url = repository.appendingPathComponent("Tests/Reference/expressions.json")
    self = try JSONDecoder().decode(Reference.self, from: Data(contentsOf: url))
  }

  /// The rows of all inputs.
  static let batch = 2

  func shape(of name: String) -> SymbolicShape {
    SymbolicShape(
      shapes[name, default: []].map {
        switch $0 {
        case .batch: Graphs.Extent.batch
        case .fixed(let count): Graphs.Extent.fixed(count)
        }
      })
  }

  /// The formula of a case, and the values of its symbols.
  func read(_ test: Case) throws -> (formula: Formula, values: [String: Tensor]) {
    let declared = Declarations(
      shapes: Dictionary(uniqueKeysWithValues: shapes.keys.map { ($0, shape(of: $0)) }))
    let values = inputs[test.inputs].reduce(into: [String: Tensor]()) { result, input in
      let shape = shape(of: input.key).resolved(batch: Reference.batch)
      result[input.key] = Tensor(shape: shape, values: input.value)
    }
    return (try Formula(test.text + Reference.others, declared), values)
  }

  /// A second value with all symbols, so that none is declared in vain.
  static let others = "\nx'*v + u'*b + s + sum(A + W + θ') + α*c*β1 + b[y]"
}

@Suite("Random expressions against JAX")
struct ReferenceTests {
  @Test("values agree to 1e-9 and gradients to 1e-7 in 64 bits, both also in Float to 1e-5")
  func oracle() throws {
    let reference = try Reference()
    #expect(reference.cases.count >= 2000)
    for test in reference.cases {
      let (formula, values) = try reference.read(test)
      let found = try formula.evaluate(with: values, batch: Reference.batch)[0]
      // JAX repeats what is the same for all rows.
      let repeats = test.value.count / found.values.count
      try #require(repeats * found.values.count == test.value.count, "\(test.text)")
      let expected = Tensor(
        shape: found.shape, values: Array(test.value.prefix(found.values.count)))
      #expect(relativeDistance(found, expected) < 1e-9, "\(test.text)")
      let names = formula.graph.nodes.compactMap { node in
        formula.graph[node].operation == .labels ? nil : formula.graph[node].name
      }
      let both = try formula.withGradient(withRespectTo: names)
      let gradients = try both.evaluate(with: values, batch: Reference.batch).dropFirst()
      for (name, gradient) in zip(names, gradients) {
        let numbers = test.gradients[name] ?? Array(repeating: 0, count: gradient.values.count)
        let expected = Tensor(
          shape: gradient.shape, values: numbers.map { $0 / Double(repeats) })
        #expect(relativeDistance(gradient, expected) < 1e-7, "\(test.text): \(name)")
      }
      #expect(test.gradients.keys.allSatisfy(names.contains), "\(test.text)")
      try comparePlan(both, values, test.text)
    }
  }

  /// Compares the compiled plan with the interpreter, relative to the largest number on the way.
  private func comparePlan(
    _ formula: Formula, _ values: [String: Tensor], _ text: String
  ) throws {
    let graph = formula.graph
    let readable = formula.outputs.filter { node in
      if case .parameter = graph[node].operation { false } else { true }
    }
    let layout = FlatLayout(
      graph.parameters.map {
        (graph[$0].name ?? "", graph.shape(of: $0).resolved(batch: Reference.batch))
      })
    let plan = try Plan(
      graph, batch: Reference.batch, values: readable, gradients: [], layout: layout,
      workspace: CPU().makeWorkspace())
    let parameters = FloatBuffer(count: layout.count)
    for range in layout.ranges {
      for (index, number) in zip(range.indices, values[range.name]?.values ?? []) {
        parameters.pointer[index] = Float(number)
      }
    }
    for (name, value) in values {
      if let data = plan.data(name) {
        for (index, number) in value.values.enumerated() { data[index] = Float(number) }
      }
      if let labels = plan.labels(name) {
        for (index, number) in value.values.enumerated() { labels[index] = Int32(number) }
      }
    }
    let gradient = FloatBuffer(count: layout.count)
    plan.run(parameters: parameters.pointer, gradient: gradient.pointer)
    let inner = try graph.evaluate(Array(graph.nodes), with: values, batch: Reference.batch)
    let scale = inner.flatMap(\.values).reduce(1) { max($0, abs($1)) }
    for node in readable {
      let expected = inner[node.index]
      let found = plan.value(of: node)
      for (index, number) in expected.values.enumerated() {
        let distance = abs(Double(found[index]) - number)
        #expect(distance < 1e-5 * scale, "\(text): \(found[index]) and \(number)")
      }
    }
  }
}
