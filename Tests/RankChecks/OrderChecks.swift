// The answer of a few training steps, in the order of the tree and in MPI's own.

import Benchmarks
import CPUBackend
import Communication
import Foundation
import Models
import Optimizers
import Tensors
import Training

/// Takes steps and prints what the parameters are then, as hex: `order exact|free [groups of N ranks]`.
///
/// A test compares what other numbers of ranks print.
@Sendable
func printAnswer(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let isExact = options[0] == "exact"
  let network = try Network(
    layers: [.affine(300), .activation(.tanh), .affine(300), .activation(.relu), .affine(7)],
    loss: .softmaxCrossEntropy, sampleShape: [64], targets: .labels)
  var settings = BenchSteps.Settings(
    optimizer: OptimizerSettings(
      .sgd(momentum: 0.9, nesterov: false, weightDecay: 0), learningRate: 0.05),
    batchSize: 120, microbatches: 12)
  settings.isSharded = isExact
  settings.sharedMemoryLimit = options[1].flatMap { Int($0) }
  settings.seed = 3
  let steps = try BenchSteps(
    network, targets: .labels, settings: settings, backend: CPU(), communicator: communicator)
  for _ in 0..<10 {
    if isExact { try steps.step() } else { try steps.stepInFreeOrder() }
  }
  guard communicator.isRoot else { return }
  // FNV-1a over the bits, in order.
  let answer = steps.parameters.elements.reduce(UInt64(14_695_981_039_346_656_037)) {
    ($0 ^ UInt64($1.bitPattern)) &* 1_099_511_628_211
  }
  print(String(answer, radix: 16))
}
