import Graphs
import Tensors
import TestSupport
import Testing

/// The text of the error that `body` ends with.
private func text(_ body: (inout Graph) throws -> Void) -> String {
  var graph = Graph()
  do {
    try body(&graph)
    return "no error"
  } catch {
    return "\(error)"
  }
}

@Suite("Errors of graphs")
struct GraphErrorTests {
  @Test("leaves: names and shapes")
  func leaves() {
    #expect(
      text {
        _ = try $0.data("x", shape: [.batch, 3])
        _ = try $0.parameter("x", shape: [3])
      } == "two nodes are named 'x'")
    #expect(
      text { _ = try $0.parameter("w", shape: [.batch, 3]) }
        == "parameter 'w' has shape [batch, 3]; a parameter cannot depend on the batch")
  }

  @Test("shapes of more elements than any machine holds")
  func tooLarge() {
    #expect(
      text { _ = try $0.data("x", shape: [.batch, 16_777_216, 16_777_217]) }
        == "data 'x': found [batch, 16777216, 16777217] elements, expected at most "
        + "281474976710656")
    #expect(
      text {
        let x = try $0.data("x", shape: [1_073_741_824, 1])
        let y = try $0.data("y", shape: [1, 1_073_741_824])
        _ = try $0.add(.reshape([4_294_967_296, 4_294_967_296, 4_294_967_296]), [x])
        _ = try $0.matmul(x, y)
      }.hasPrefix("reshape"))
    #expect(
      text {
        let x = try $0.data("x", shape: [1_073_741_824, 1])
        _ = try $0.matmul(x, $0.data("y", shape: [1, 1_073_741_824]))
      } == "matmul: found [1073741824, 1073741824] elements, expected at most "
        + "281474976710656")
  }

  @Test("operands: the operation, the layer, what was found and expected")
  func operands() {
    #expect(
      text {
        let x = try $0.data("x", shape: [.batch, 784])
        _ = try $0.matmul(x, $0.parameter("w", shape: [300, 512]), name: "hidden")
      } == "matmul 'hidden': operands disagree on the summed axis (784 and 300): "
        + "[batch, 784] and [300, 512]")
    #expect(
      text {
        let x = try $0.data("x", shape: [.batch, 784])
        _ = try $0.matmul(x, $0.parameter("w", shape: [300, 512]), transposingRHS: true)
      } == "matmul: operands disagree on the summed axis (784 and 512): "
        + "[batch, 784] and [300, 512]ᵀ")
    #expect(
      text {
        _ = try $0.matmul($0.parameter("a", shape: [2]), $0.parameter("b", shape: [2, 2]))
      } == "matmul: found [2] and [2, 2], expected two axes each")
    #expect(
      text {
        $0.layer = "fc1"
        _ = try $0.affine(
          $0.data("x", shape: [64, 784]), weight: $0.parameter("w", shape: [300, 512]))
      } == "affine 'fc1': operands disagree on 'in': [64, 784] and [300, 512]")
    #expect(
      text {
        $0.layer = "fc1"
        _ = try $0.affine(
          $0.data("x", shape: [.batch, 8]), weight: $0.parameter("w", shape: [3, 8]),
          bias: $0.parameter("b", shape: [8]))
      } == "affine 'fc1': operands disagree on 'out': [3, 8] and [8]")
    #expect(
      text {
        _ = try $0.add(
          .add, [$0.data("x", shape: [.batch, 4]), $0.parameter("b", shape: [3])])
      } == "add: operands disagree on axis -1 (4 and 3): [batch, 4] and [3]")
    #expect(
      text {
        _ = try $0.add(
          .multiply, [$0.data("x", shape: [.batch, 4]), $0.parameter("b", shape: [3, 4])])
      } == "multiply: operands disagree on axis -2 (batch and 3): [batch, 4] and [3, 4]")
    #expect(
      text { _ = try $0.add(.add, [$0.data("x", shape: [2])]) }
        == "add: found 1 operands, expected 2")
    #expect(
      text { _ = try $0.add(.sum(axes: [0, 2]), [$0.data("x", shape: [.batch, 4])]) }
        == "sum: found axes [0, 2], expected different ones of 0 ..< 2")
    #expect(
      text { _ = try $0.add(.mean(axes: [1, 1]), [$0.data("x", shape: [.batch, 4])]) }
        == "mean: found axes [1, 1], expected different ones of 0 ..< 2")
    #expect(
      text { _ = try $0.reshape($0.data("x", shape: [.batch, 4]), to: [.batch, 3]) }
        == "reshape: found shape [batch, 4], expected as many elements as [batch, 3]")
    #expect(
      text { _ = try $0.reshape($0.data("x", shape: [.batch, 4]), to: [4]) }
        == "reshape: found shape [batch, 4], expected as many elements as [4]")
    #expect(
      text { _ = try $0.add(.broadcast([.batch, 3]), [$0.data("x", shape: [2, 1, 3])]) }
        == "broadcast: found shape [2, 1, 3], expected one that repeats to [batch, 3]")
    #expect(
      text { _ = try $0.add(.softmax, [$0.data("x", shape: [])]) }
        == "softmax: found shape [], expected at least one axis")
    #expect(
      text {
        _ = try $0.meanSquaredError(
          $0.data("x", shape: [.batch, 4]), target: $0.data("y", shape: [.batch, 3]))
      } == "mean squared error: prediction has shape [batch, 4] and target [batch, 3], "
        + "expected the same [batch, ...]")
    #expect(
      text {
        _ = try $0.add(
          .tanhGradient, [$0.data("c", shape: [.batch]), $0.data("y", shape: [.batch, 1])])
      } == "tanh': cotangent has shape [batch] but output has [batch, 1]")
  }

  @Test("losses of class scores: shapes, and labels that are no labels")
  func classScores() {
    #expect(
      text {
        _ = try $0.softmaxCrossEntropy(
          $0.data("z", shape: [.batch, 2, 5]), labels: $0.labels("labels"))
      } == "softmax cross-entropy: logits have shape [batch, 2, 5], expected [batch, classes]")
    #expect(
      text {
        _ = try $0.softmaxCrossEntropy(
          $0.data("z", shape: [.batch, 5]), labels: $0.labels("labels", shape: [7]))
      } == "softmax cross-entropy: labels have shape [7], expected [batch]")
    #expect(
      text {
        _ = try $0.softmaxCrossEntropy(
          $0.data("z", shape: [.batch, 5]), labels: $0.data("labels", shape: [.batch]))
      } == "softmax cross-entropy: operand 2 holds numbers, expected class numbers")
    #expect(
      text {
        _ = try $0.add(
          .subtract, [$0.data("z", shape: [.batch]), $0.labels("labels", shape: [.batch])])
      } == "subtract: operand 2 holds class numbers, expected numbers")
    #expect(
      text {
        let labels = try $0.labels("labels", shape: [.batch, 1])
        _ = try $0.add(.square, [$0.reshape(labels, to: [.batch])])
      } == "square: operand 1 holds class numbers, expected numbers")
    #expect(
      text {
        let c = try $0.data("c", shape: [.batch, 1])
        let z = try $0.data("z", shape: [.batch, 5])
        _ = try $0.add(.softmaxCrossEntropyGradient, [c, z, $0.labels("labels")])
      } == "softmax − one-hot: cotangent has shape [batch, 1], expected [batch]")
  }

  @Test("evaluation: values that are missing, of another shape, or no class")
  func evaluation() throws {
    func evaluate(_ values: [String: Tensor], batch: Int? = nil) -> String {
      text { graph in
        let z = try graph.data("z", shape: [.batch, 3])
        let labels = try graph.labels("targets", shape: [.batch, 1])
        let loss = try graph.softmaxCrossEntropy(z, labels: graph.reshape(labels, to: [.batch]))
        _ = try graph.evaluate([loss], with: values, batch: batch)
      }
    }
    let z = Tensor(shape: [2, 3], repeating: 0)
    #expect(evaluate(["z": z]) == "no value for 'targets'")
    #expect(
      evaluate(["z": z, "targets": Tensor(shape: [3, 1], repeating: 0)])
        == "value of 'targets' has shape [3, 1], expected [2, 1]")
    #expect(
      evaluate(["z": z, "targets": Tensor(shape: [2, 1], repeating: 0)], batch: 4)
        == "value of 'z' has shape [2, 3], expected [4, 3]")
    for (label, shown) in [(3.0, "3"), (-1, "-1"), (0.5, "0.5"), (.nan, "nan")] {
      #expect(
        evaluate(["z": z, "targets": Tensor(shape: [2, 1], values: [0, label])])
          == "'targets' has label \(shown) in row 1, expected 0 ..< 3")
    }
  }

  @Test("differentiation: a cotangent of another shape; classes that depend on the batch")
  func differentiation() {
    #expect(
      text {
        let x = try $0.data("x", shape: [.batch, 3])
        _ = try $0.gradient(
          of: $0.add(.exp, [x], name: "power"), cotangent: $0.fill(1, shape: [3]),
          withRespectTo: [x])
      } == "gradient 'power': cotangent has shape [3], expected [batch, 3]")
    #expect(
      text {
        let c = try $0.data("c", shape: [4])
        let z = try $0.data("z", shape: [4, .batch])
        let node = try $0.add(
          .softmaxCrossEntropyGradient, [c, z, $0.labels("labels", shape: [4])])
        _ = try $0.gradient(of: node, withRespectTo: [z])
      } == "softmax − one-hot: the number of classes is not fixed")
  }
}
