// The products and convolutions of a step, run bare on memory like a step's: the yardstick of `nndist bench step`.

package import Execution
package import Graphs
import Kernels
import Numerics
import OneDNN
package import Tensors

/// The matrix products and convolutions of one step with one microbatch, in the order of the step, and one
/// momentum pass.
///
/// They are those of the graph: forward, weight gradients, and all input gradients but that of the first
/// layer. Each is the fastest of the ways that the library has (``LibraryCall``). Results are operands of
/// what follows, and parameters, gradient and momentum are flat vectors, so that what is in the caches is what
/// is in them during a step; that what lies between the products is left out is the point.
package final class StepFloor {
  /// A parameter that learns.
  package struct LearnedArray {
    package let parameter: Graph.Node
    package let gradient: Graph.Node
    package let range: FlatLayout.Range

    /// Describes a parameter and where it lies.
    package init(parameter: Graph.Node, gradient: Graph.Node, range: FlatLayout.Range) {
      self.parameter = parameter
      self.gradient = gradient
      self.range = range
    }
  }

  private struct Call {
    let bare: LibraryCall
    let lhs: UnsafeMutablePointer<Float>
    let rhs: UnsafeMutablePointer<Float>
    let result: UnsafeMutablePointer<Float>
    var way = 0

    func run() { bare.run(way: way, lhs: lhs, rhs: rhs, into: result) }
  }

  private var calls: [Call] = []
  private let parameters: FloatBuffer
  private let gradient: FloatBuffer
  private let momentum: FloatBuffer
  private var buffers: [FloatBuffer] = []
  private let clock = ContinuousClock()

  /// Prepares all calls and chooses the fastest way of each, by a few passes in each way.
  ///
  /// - Parameters:
  ///   - graph: The training graph.
  ///   - batchSize: The rows of a step.
  ///   - arrays: The parameters that learn, the nodes of their gradients, and where both lie in flat vectors.
  ///   - parameters: The flat parameters, which stay as they are.
  /// - Throws: ``PlanError/kernel(node:reason:)`` if the library refuses a shape.
  package init(
    _ graph: Graph, batchSize: Int, arrays: [LearnedArray], parameters: FloatBuffer
  ) throws(PlanError) {
    self.parameters = parameters
    gradient = FloatBuffer(count: parameters.count)
    momentum = FloatBuffer(count: parameters.count)
    let works = graph.bareWorks(batchSize: batchSize)
    var bares: [LibraryCall] = []
    for work in works {
      do {
        bares.append(try LibraryCall(work.work))
      } catch {
        throw PlanError.kernel(node: "node \(work.result.index)", reason: error.description)
      }
    }
    let places = position(works, bares, of: arrays, in: graph, batchSize: batchSize)
    for (work, bare) in zip(works, bares) {
      guard let lhs = places[work.lhs], let rhs = places[work.rhs], let result = places[work.result]
      else { preconditionFailure("node \(work.result.index) was given no memory") }
      calls.append(Call(bare: bare, lhs: lhs, rhs: rhs, result: result))
    }
    chooseWays()
  }

  /// The number of products and convolutions.
  package var callCount: Int { calls.count }

  /// The time of each of some passes through all of it.
  package func measure(passes: Int) -> [Duration] {
    OneDNN.prepareThread()
    return flushingDenormals {
      (0..<passes).map { _ in
        clock.measure {
          for call in calls { call.run() }
          update()
        }
      }
    }
  }

  /// One pass of the optimiser, which leaves the parameters as they are, so that numbers stay of their size.
  private func update() {
    Update.sgd(
      parameters: parameters.pointer, gradient: gradient.pointer, momentum: momentum.pointer,
      count: parameters.count, momentumFactor: 0.9, nesterov: false,
      UpdateFactors(learningRate: 0))
  }

  /// The ways take turns, pass by pass, and each call keeps the one that was fastest in the median.
  private func chooseWays() {
    OneDNN.prepareThread()
    let wayCount = calls.map(\.bare.wayCount).max() ?? 1
    var times = calls.map { _ in Array(repeating: [Duration](), count: wayCount) }
    let start = clock.now
    flushingDenormals {
      // The first pass touches the memory for the first time.
      for pass in 0..<21 where pass < 4 || clock.now - start < .milliseconds(300) {
        for way in 0..<wayCount {
          for index in calls.indices where way < calls[index].bare.wayCount {
            calls[index].way = way
            let time = clock.measure { calls[index].run() }
            if pass > 0 { times[index][way].append(time) }
          }
          update()
        }
      }
    }
    for index in calls.indices {
      let medians = times[index].prefix(calls[index].bare.wayCount).map { times in
        times.sorted()[times.count / 2]
      }
      calls[index].way = medians.indices.min { medians[$0] < medians[$1] } ?? 0
    }
  }

  /// Gives the operands and results of all calls memory: parameters and their gradients in the flat vectors
  /// unless the library's layout takes more room.
  private func position(
    _ works: [BareWork], _ bares: [LibraryCall], of arrays: [LearnedArray], in graph: Graph,
    batchSize: Int
  ) -> [Graph.Node: UnsafeMutablePointer<Float>] {
    var counts: [Graph.Node: Int] = [:]
    for (work, bare) in zip(works, bares) {
      for (position, count) in [
        (work.lhs, bare.counts.lhs), (work.rhs, bare.counts.rhs), (work.result, bare.counts.result),
      ] {
        counts[position] = max(counts[position] ?? 0, count)
      }
    }
    var places: [Graph.Node: UnsafeMutablePointer<Float>] = [:]
    for array in arrays {
      let range = array.range
      let result = graph.memory(of: array.gradient, batchSize: batchSize)
      if counts[array.parameter] ?? .max <= range.count {
        places[array.parameter] = parameters.pointer + range.offset
      }
      if counts[result] ?? .max <= range.count {
        places[result] = gradient.pointer + range.offset
      }
    }
    for (node, count) in counts where places[node] == nil {
      let buffer = FloatBuffer(count: count)
      // Small enough that sums stay of the size of what is summed.
      for index in 0..<count { buffer.pointer[index] = Float((index &* 7919) % 127 - 63) / 2000 }
      buffers.append(buffer)
      places[node] = buffer.pointer
    }
    return places
  }
}

/// A product or convolution of a graph, and the nodes in whose memory its operands and its result are.
private struct BareWork {
  let work: LibraryCall.Work
  let lhs: Graph.Node
  let rhs: Graph.Node
  let result: Graph.Node
}

extension Graph {
  /// The products and convolutions, in order.
  fileprivate func bareWorks(batchSize: Int) -> [BareWork] {
    nodes.compactMap { node in
      bareWork(of: node, batchSize: batchSize).map { work in
        let operands = self[node].inputs.map { memory(of: $0, batchSize: batchSize) }
        return BareWork(work: work, lhs: operands[0], rhs: operands[1], result: node)
      }
    }
  }

  private func bareWork(of node: Node, batchSize: Int) -> LibraryCall.Work? {
    let operation = self[node].operation
    let result = shape(of: node).resolved(batch: batchSize)
    func operand(_ index: Int) -> Shape {
      shape(of: self[node].inputs[index]).resolved(batch: batchSize)
    }
    if case .matmul(let transposeLHS, let transposeRHS) = operation {
      return .product(
        LibraryCall.Product(
          rows: result[0], columns: result[1], depth: operand(0)[transposeLHS ? 0 : 1],
          transposeLHS: transposeLHS, transposeRHS: transposeRHS))
    }
    if case .convolution(let convolution) = operation {
      return .convolution(
        .forward(bias: false), convolution.window, groups: convolution.groups, x: operand(0),
        y: result)
    }
    if case .convolutionInputGradient(let convolution, _) = operation {
      return .convolution(
        .inputGradient, convolution.window, groups: convolution.groups, x: result, y: operand(0))
    }
    if case .convolutionWeightGradient(let convolution) = operation {
      return .convolution(
        .weightGradient, convolution.window, groups: convolution.groups, x: operand(0),
        y: operand(1))
    }
    return nil
  }

  /// The node in whose memory a step keeps a value: that of the first operand of equally many elements,
  /// as activations and their gradients overwrite what they are of.
  fileprivate func memory(of node: Node, batchSize: Int) -> Node {
    guard bareWork(of: node, batchSize: batchSize) == nil, let input = self[node].inputs.first,
      shape(of: input).resolved(batch: batchSize).count
        == shape(of: node).resolved(batch: batchSize).count
    else { return node }
    return memory(of: input, batchSize: batchSize)
  }
}
