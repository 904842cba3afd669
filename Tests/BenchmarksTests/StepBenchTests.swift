// The yardstick of a step, and the step's time by parts.

import Benchmarks
import CPUBackend
import Communication
import DataParallel
import Models
import Tensors
import TestSupport
import Testing
import Training

@Suite("Floor of a step")
struct StepFloorTests {
  @Test("holds each product forward, and backward but for the gradient of the samples")
  func calls() throws {
    let affine = try stepFloor(network("[affine: 8, tanh, affine: 3]", [4]), batchSize: 7, seed: 1)
    #expect(affine.callCount == 2 + 2 + 1)
    let images = try stepFloor(
      network("[conv2d: {channels: 4, kernel: 3}, relu, max_pool2d: 2, affine: 3]", [1, 8, 8]),
      batchSize: 5, seed: 1)
    #expect(images.callCount == 2 + 2 + 1)
    for floor in [affine, images] {
      let times = floor.measure(passes: 3)
      #expect(times.count == 3 && times.allSatisfy { $0 > .zero })
    }
  }

  private func network(_ model: String, _ shape: Shape) throws -> Network {
    try configured(model, shape).network
  }
}

@Suite("Profile of a step")
struct StepProfileTests {
  @Test(
    "adds up to the time on the wall, and counts calls of all groups of microbatches",
    arguments: [1, 2])
  func sum(groupCount: Int) throws {
    let (network, configuration) = try configured(
      "[affine: 300, relu, affine: 200, tanh, affine: 10]", [50],
      ["batch_size=100", "microbatches=4", "run.group=\(4 / groupCount)"])
    var options = StepBench.Options()
    options.isProfiled = true
    options.rounds = 3
    let bench = try StepBench.measure(
      network, targets: .labels, configuration: configuration, options: options,
      communicator: SoloCommunicator())
    let profile = try #require(bench.profile)
    #expect(abs(profile.total / profile.step - 1) < 0.02)
    #expect(profile.calls.allSatisfy { $0.count == Double(groupCount) })
    for phase in [Timing.Phase.forward, .backward] {
      let calls = profile.calls.filter { $0.phase == phase }
      let whole = try #require(profile.phases.first { $0.phase == phase }).time
      let part = calls.reduce(Duration.zero) { $0 + $1.time }
      #expect(!calls.isEmpty && part > .zero && part <= whole)
    }
    // Three products forward; backward three for weights and two for inputs.
    #expect(profile.calls.count { $0.label.contains("matmul") } == 8)
  }
}

private func configured(
  _ model: String, _ shape: Shape, _ overrides: [String] = []
) throws -> (network: Network, configuration: RunConfiguration) {
  let folder = try TemporaryFolder()
  let path = try folder.write("data: { train: none }\nmodel: \(model)\n", to: "run.yaml")
  let (configuration, _) = try readConfiguration(path, overrides: overrides)
  let network = try Network(
    layers: configuration.model, loss: configuration.loss, sampleShape: shape, targets: .labels)
  return (network, configuration)
}
