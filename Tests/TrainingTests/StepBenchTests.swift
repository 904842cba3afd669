// The yardstick of a step, and the step's time by parts.

import Communication
import Models
import Tensors
import Testing
import Training

@Suite("Floor of a step")
struct StepFloorTests {
  @Test("holds each product forward, and backward but for the gradient of the samples")
  func calls() throws {
    let affine = try StepFloor(network("[affine: 8, tanh, affine: 3]", [4]), batchSize: 7, seed: 1)
    #expect(affine.callCount == 2 + 2 + 1)
    let images = try StepFloor(
      network("[conv2d: {channels: 4, kernel: 3}, relu, max_pool2d: 2, affine: 3]", [1, 8, 8]),
      batchSize: 5, seed: 1)
    #expect(images.callCount == 2 + 2 + 1)
    for floor in [affine, images] {
      let times = floor.measure(passes: 3)
      #expect(times.count == 3 && times.allSatisfy { $0 > .zero })
    }
  }

  private func network(_ model: String, _ shape: Shape) throws -> Network {
    let folder = try RunFolder()
    let path = try folder.write("data: { train: none }\nmodel: \(model)\n")
    let (configuration, _) = try readConfiguration(path, overrides: [])
    return try Network(
      layers: configuration.model, loss: configuration.loss, sampleShape: shape, targets: .labels)
  }
}
