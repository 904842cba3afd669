import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Operations")
struct OperationTests {
  @Test("every kind has a sample, and samples are of the kind they stand for")
  func samplesCoverOperations() throws {
    let kinds = try operationSamples().map { OperationKind($0.graph[$0.output].operation) }
    #expect(Set(kinds) == Set(OperationKind.allCases))
  }

  @Test("⟨vjp(c), d⟩ is the central difference along d", arguments: try operationSamples())
  func gradient(of sample: OperationSample) throws {
    guard !sample.numbers.isEmpty else { return }
    let comparison = try checkVJP(
      of: sample.output, withRespectTo: sample.numbers, in: sample.graph, at: sample.values,
      batch: sample.batch, seed: sample.description)
    #expect(comparison.relativeError < 1e-9, "\(sample): \(comparison)")
  }

  @Test("the gradient's own gradient is the central difference", arguments: try operationSamples())
  func secondGradient(of sample: OperationSample) throws {
    guard !sample.numbers.isEmpty else { return }
    var graph = sample.graph
    var values = sample.values
    let shape = graph.shape(of: sample.output)
    let cotangent = try graph.data("c", shape: shape)
    var numbers = TestNumbers("second gradient", sample.description)
    values["c"] = numbers.tensor(shape.resolved(batch: sample.batch), magnitudes: 0.1...1)
    let gradients = try graph.gradient(
      of: sample.output, cotangent: cotangent, withRespectTo: sample.numbers)
    for (index, gradient) in gradients.enumerated() {
      let comparison = try checkVJP(
        of: gradient, withRespectTo: sample.numbers + [cotangent], in: graph, at: values,
        batch: sample.batch, seed: "\(sample.description) \(index)")
      #expect(comparison.relativeError < 1e-9, "\(sample), operand \(index): \(comparison)")
    }
  }

  @Test("the interpreter's shapes are those of the shape rule", arguments: [1, 2, 7])
  func shapes(batch: Int) throws {
    for sample in try operationSamples(batch: batch) {
      let value = try sample.graph.evaluate([sample.output], with: sample.values, batch: batch)[0]
      #expect(
        value.shape == sample.graph.shape(of: sample.output).resolved(batch: batch), "\(sample)")
      sample.graph.verify()
    }
  }

  @Test("class numbers have no gradient, and what does not reach the output has zeros")
  func noDependence() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let unused = try graph.parameter("unused", shape: [2, 2])
    let labels = try graph.labels("labels")
    let loss = try graph.softmaxCrossEntropy(x, labels: labels)
    let gradients = try graph.gradient(of: loss, withRespectTo: [unused, labels, loss])
    #expect(graph[gradients[0]].operation == .fill(0))
    #expect(graph.shape(of: gradients[0]) == [2, 2])
    #expect(graph[gradients[1]].operation == .fill(0))
    #expect(graph[gradients[2]].operation == .fill(1))
  }

  @Test("relu passes on what is no number, and its slope at 0 is 0")
  func reluAtItsKink() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch])
    let y = try graph.relu(x)
    let gradient = try graph.gradient(of: y, withRespectTo: [x])
    let input = ["x": Tensor(shape: [4], values: [-1, 0, 2, .nan])]
    let value = try graph.evaluate([y], with: input)[0].values
    #expect(Array(value.prefix(3)) == [0, 0, 2] && value[3].isNaN)
    #expect(try graph.evaluate(gradient, with: input)[0].values == [0, 0, 1, 0])
  }

  @Test("a loss of logits far apart is exact, not infinite")
  func stableCrossEntropy() throws {
    var graph = Graph()
    let logits = try graph.data("logits", shape: [.batch, 2])
    let loss = try graph.softmaxCrossEntropy(logits, labels: graph.labels("labels"))
    let values = [
      "logits": Tensor(shape: [2, 2], values: [1e4, -1e4, 1e4, -1e4]),
      "labels": Tensor(shape: [2], values: [0, 1]),
    ]
    #expect(try graph.evaluate([loss], with: values)[0].values == [0, 2e4])
  }

  @Test("a parameter used twice gets the sum of both gradients")
  func sharedParameter() throws {
    var graph = Graph()
    let w = try graph.parameter("w", shape: [2])
    let product = try graph.add(.multiply, [w, w])
    let both = try graph.add(.add, [product, graph.add(.exp, [w])])
    let gradient = try graph.gradient(of: both, withRespectTo: [w])
    let value = try graph.evaluate(gradient, with: ["w": Tensor(shape: [2], values: [0, 3])])[0]
    #expect(isClose(value.values[0], 1) && isClose(value.values[1], 6 + 20.085536923187668))
  }
}
