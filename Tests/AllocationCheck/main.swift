// Counts what a step allocates once it has run a few times, but for what oneDNN does inside its calls, and
// what handles of oneDNN leave behind. A test starts this program; the verdict is the exit status, the lines
// are for people.

import AllocationCount
import Benchmarks
import CPUBackend
import Communication
import Execution
import Graphs
import Models
import OneDNN
import Optimizers
import Tensors
import Training

#if canImport(Glibc)
  import Glibc
#endif

/// A network with the number of rows and microbatches of its steps.
struct Case {
  let name: String
  let layers: [Layer]
  let loss: Loss
  let sample: Shape
  let outputs: Int
  let batch: Int
  let microbatches: Int

  var targets: Network.Targets { loss.takesLabels ? .labels : .responses(outputs) }

  func network() throws -> Network {
    try Network(layers: layers, loss: loss, sampleShape: sample, targets: targets)
  }
}

func window(_ kernel: Int, stride: Int = 1, padding: Int = 0) -> Layer.SlidingWindow {
  Layer.SlidingWindow(axisCount: 2, kernel: [kernel], stride: [stride], padding: [padding])
}

let cases = [
  Case(
    name: "linear regression", layers: [.affine(3)], loss: .squaredNorm, sample: [20], outputs: 3,
    batch: 32, microbatches: 4),
  Case(
    name: "logistic regression", layers: [.affine(10)], loss: .softmaxCrossEntropy, sample: [64],
    outputs: 10, batch: 50, microbatches: 8),
  Case(
    name: "learned features, wide rows",
    layers: [.affine(33), .activation(.tanh), .affine(40)], loss: .softmaxCrossEntropy,
    sample: [64], outputs: 40, batch: 64, microbatches: 8),
  Case(
    name: "multilayer perceptron",
    layers: [.affine(512), .activation(.relu), .affine(256), .activation(.relu), .affine(10)],
    loss: .softmaxCrossEntropy, sample: [784], outputs: 10, batch: 128, microbatches: 1),
  Case(
    name: "every activation",
    layers: [
      .affine(17), .activation(.sigmoid), .affine(16), .activation(.softmax), .affine(15),
      .activation(.square), .affine(31), .activation(.exp), .affine(8), .activation(.logSoftmax),
      .affine(5, bias: false), .activation(.tanh), .affine(2),
    ], loss: .meanSquaredError, sample: [9], outputs: 2, batch: 33, microbatches: 7),
  Case(
    name: "dropout and running averages",
    layers: [
      .affine(33), Layer(.batchNormalization()), .activation(.relu),
      Layer(.dropout(rate: 0.5)), .affine(4),
    ], loss: .softmaxCrossEntropy, sample: [20], outputs: 4, batch: 40, microbatches: 6),
  Case(
    name: "sums over microbatches",
    layers: [
      .affine(33), Layer(.batchNormalization(statistics: .batch)),
      .activation(.relu), .affine(4),
    ], loss: .softmaxCrossEntropy, sample: [20], outputs: 4, batch: 40, microbatches: 6),
  Case(
    name: "images",
    layers: [
      Layer(.convolution(channels: 16, window: window(3, padding: 1))),
      Layer(.batchNormalization()), .activation(.relu),
      Layer(.maxPool(window(2, stride: 2))),
      Layer(.convolution(channels: 8, window: window(3))), .activation(.gelu),
      Layer(.globalAveragePool), .affine(4),
    ], loss: .softmaxCrossEntropy, sample: [3, 12, 12], outputs: 4, batch: 20, microbatches: 3),
]

/// Counts what `body` allocates per call after three calls, and says who does.
func allocations(of what: String, repeats: Int = 20, _ body: () throws -> Void) rethrows -> Int {
  for _ in 0..<3 { try body() }
  allocation_count_start("libdnnl")
  for _ in 0..<repeats { try body() }
  let count = allocation_count_stop()
  print(
    "\(what): \(count) allocations of ours and \(allocation_count_library()) of oneDNN in "
      + "\(repeats) runs")
  for index in 0..<min(allocation_count_kept(), 4) {
    var callers: [String] = []
    for frame in 0..<8 {
      guard let file = allocation_count_caller(index, Int32(frame)) else { break }
      let function = allocation_count_function(index, Int32(frame)).map { String(cString: $0) }
      callers.append("\(String(cString: file)) \(function ?? "?")")
    }
    print("  " + callers.joined(separator: "\n    "))
  }
  return count
}

/// Returns the bytes that are still allocated after 2,000 calls of `body`, beyond those after 10.
func bytesLeft(by what: String, _ body: () throws -> Void) rethrows -> Int {
  for _ in 0..<10 { try body() }
  let before = allocation_byte_count()
  for _ in 0..<2000 { try body() }
  let left = allocation_byte_count() - before
  print("\(what): \(left) bytes left after 2,000 times")
  return left
}

/// Returns the bytes that primitives leave behind, made and refused.
func bytesLeftByPrimitives() throws -> Int {
  prepareThread()
  var left = try bytesLeft(by: "primitives") {
    _ = try MatmulPrimitive(
      rows: 5, columns: 7, depth: 3, transposeLHS: false, transposeRHS: true, bias: true)
    _ = try RoundingPrimitive(count: 9)
  }
  // An output that contradicts its window: refused when layouts and attributes have been made.
  let contradictory = ConvolutionPrimitive.Geometry(
    batch: 2, inputs: 4, outputs: 4, groups: 1,
    axes: [.init(input: 8, output: 5, kernel: 3), .init(input: 8, output: 6, kernel: 3)])
  for kind in [ConvolutionPrimitive.Kind.forward(bias: true), .inputGradient, .weightGradient] {
    left += bytesLeft(by: "a refused convolution, \(kind)") {
      let primitive = try? ConvolutionPrimitive(kind, contradictory)
      precondition(primitive == nil, "a contradictory convolution was not refused")
    }
  }
  return left
}

/// Runs all cases and returns the exit status.
///
/// A function, because what lives at the top level is never destroyed.
func check() throws -> Int32 {
  // That something is counted at all.
  var buffers: [FloatBuffer] = []
  buffers.reserveCapacity(100)
  let seen = allocations(of: "a buffer of numbers", repeats: 1) {
    buffers.append(FloatBuffer(count: 10))
  }
  guard seen >= 1 else { return 70 }
  var total = 0
  for item in cases {
    let network = try item.network()
    let layout = network.layout
    let parameters = FloatBuffer(count: layout.count)
    network.writeInitialValues(into: parameters, seed: 1)
    let gradient = FloatBuffer(count: layout.count)
    let plan = try Plan(
      network.graph, batch: item.batch, values: [network.loss],
      gradients: zip(network.trainableParameters, network.gradients).map { ($0.name, $1) },
      layout: layout, workspace: CPU().makeWorkspace())
    total += allocations(of: "\(item.name), plan") {
      plan.run(parameters: parameters.pointer, gradient: gradient.pointer)
    }
    let plain = OptimizerSettings(
      .sgd(momentum: 0.9, nesterov: true, weightDecay: 0), learningRate: 0.01)
    var several = OptimizerSettings(
      .lamb(beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weightDecay: 0.1), learningRate: 0.01)
    several.clipping = .norm(0.1)
    several.average = OptimizerSettings.Average(decay: 0.9)
    for (passes, optimizer) in [("", plain), (" of three passes", several)] {
      let settings = BenchSteps.Settings(
        optimizer: optimizer, batchSize: item.batch, microbatches: item.microbatches)
      let steps = try BenchSteps(
        network, targets: item.targets, settings: settings, backend: CPU(),
        communicator: SoloCommunicator())
      total += try allocations(of: "\(item.name), step\(passes)") { try steps.step() }
    }
  }
  // A single layout that leaked each time would leave over a megabyte.
  let left = try bytesLeftByPrimitives()
  return total == 0 && left < 100_000 ? 0 : 1
}

do {
  exit(try check())
} catch {
  print("\(error)")
  exit(70)
}
