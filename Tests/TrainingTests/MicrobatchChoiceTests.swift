// The number of microbatches of a run that does not set one.

import Models
import Tensors
import Testing
import Training

@Suite("Number of microbatches that is chosen")
struct MicrobatchChoiceTests {
  private func network(_ widths: [Int]) throws -> Network {
    var layers: [Layer] = []
    for (index, width) in widths.dropFirst().enumerated() {
      if index > 0 { layers.append(.activation(.relu)) }
      layers.append(.affine(width))
    }
    return try Network(
      layers: layers, loss: .softmaxCrossEntropy, sampleShape: [widths[0]], targets: .labels)
  }

  private func choice(_ network: Network, _ batchSize: Int, rows: Int? = nil) -> Int {
    defaultMicrobatches(for: network, batchSize: batchSize, rowCount: rows ?? batchSize)
  }

  @Test(
    "is this function of model, batch and rows, for ever",
    arguments: [
      ([784, 512, 256, 10], 128, 16), ([784, 512, 256, 10], 255, 16),
      ([4096, 4096, 4096, 1000], 16, 16), ([64, 64, 10], 1, 1), ([4, 3], 30, 16), ([4, 3], 10, 8),
      ([784, 256, 128, 100, 10], 256, 32), ([784, 10], 60000, 32),
    ])
  func fixedFunction(widths: [Int], batchSize: Int, expected: Int) throws {
    let network = try network(widths)
    #expect(choice(network, batchSize) == expected)
  }

  @Test("is a power of two up to 32 and to the batch, with work for 16 workers if there are rows")
  func bounds() throws {
    for widths in [[1, 1], [64, 64, 10], [784, 512, 256, 10]] {
      let network = try network(widths)
      for batchSize in [1, 2, 3, 17, 128, 1000, 100_000] {
        let count = choice(network, batchSize)
        #expect(count & (count - 1) == 0 && (1...32).contains(count) && count <= batchSize)
        #expect(count >= 16 || 2 * count > batchSize)
      }
    }
  }

  @Test("leaves statistics of microbatches 16 rows of a batch, and two of the rest of an epoch")
  func statistics() throws {
    func network(
      _ statistics: Layer.BatchNormalization.Statistics
    ) throws -> Network {
      try Network(
        layers: [
          .affine(8), Layer(.batchNormalization(statistics: statistics)), .affine(2),
        ],
        loss: .softmaxCrossEntropy, sampleShape: [784], targets: .labels)
    }
    let (free, bound) = (try network(.batch), try network(.microbatch))
    for batchSize in [1, 16, 31, 32, 64, 100, 512, 4096, 60000] {
      for rest in [0, 2, 3, 10, 15, 31] where rest < batchSize {
        let rows = 3 * batchSize + rest
        let (most, count) = (
          choice(free, batchSize, rows: rows), choice(bound, batchSize, rows: rows)
        )
        #expect(count == 1 || batchSize / count >= 16)
        #expect(rest == 0 || rest / count >= 2)
        // No less than that asks for.
        let limit = min(max(1, batchSize / 16), rest == 0 ? 64 : rest / 2)
        #expect(count == most || 2 * count > limit)
      }
    }
    // A rest of one row is refused whatever its microbatches, and does not count.
    #expect(choice(bound, 4096, rows: 4097) == choice(bound, 4096))
  }
}
