// How rows are cut into microbatches, and microbatches and elements shared out among ranks.

import DataParallel
import Models
import Tensors
import Testing
import Training

@Suite("Cut into microbatches")
struct MicrobatchCutTests {
  @Test("has rows ⌊jn/M⌋ ..< ⌊(j+1)n/M⌋ in microbatch j, of at most two sizes")
  func cut() {
    for count in 1...40 {
      for rows in 0...100 {
        let cut = MicrobatchCut(rowCount: rows, count: count)
        for j in 0..<count { #expect(cut[j] == j * rows / count..<(j + 1) * rows / count) }
        let sizes = Set((0..<count).map { cut[$0].count }).filter { $0 > 0 }.sorted()
        #expect(cut.sizes == sizes)
        #expect(sizes.count <= 2)
      }
    }
  }

  @Test("does not overflow for batches near 2⁶²")
  func largeBatch() {
    let cut = MicrobatchCut(rowCount: 1 << 62, count: 65535)
    #expect(cut[0].lowerBound == 0)
    #expect(cut[65534].upperBound == 1 << 62)
  }

  @Test("leaves microbatches without rows out of the tree")
  func emptyMicrobatches() {
    let tree = SumTree(MicrobatchCut(rowCount: 3, count: 8))
    #expect(tree.isPresent.count { $0 } == 3)
    #expect(tree.isPresent == (0..<8).map { ($0 + 1) * 3 / 8 > $0 * 3 / 8 })
  }
}

@Suite("Division of work among ranks")
struct WorkDivisionTests {
  @Test("gives every microbatch to one rank, in order, evenly")
  func microbatches() {
    for microbatches in 1...40 {
      for size in 1...2 * microbatches + 3 {
        let division = WorkDivision(size: size, microbatches: microbatches)
        let shares = (0..<size).map { division.leaves(of: $0) }
        #expect(shares.flatMap { $0 } == Array(0..<microbatches))
        #expect(shares.map(\.count).max() == division.largestShare)
        #expect((shares.map(\.count).min() ?? 0) >= microbatches / size)
      }
    }
  }

  @Test("gives the ranks of a group neighbouring microbatches, however groups are numbered")
  func groups() {
    for groups in [[[0, 2], [1, 3]], [[0], [1, 2, 4], [3]], [[0, 1, 2, 3, 4]]] {
      let size = groups.joined().count
      for microbatches in 1...17 {
        let division = WorkDivision(groups: groups, microbatches: microbatches)
        #expect(division.size == size)
        let inOrder = groups.joined().flatMap { division.leaves(of: $0) }
        #expect(inOrder == Array(0..<microbatches))
        for (group, members) in groups.enumerated() {
          #expect(
            members.flatMap { division.leaves(of: $0) } == Array(division.leaves(ofGroup: group)))
        }
        for rank in 0..<size {
          let ofWorkers = (0..<3).flatMap { division.leaves(of: rank, worker: $0, of: 3) }
          #expect(ofWorkers == Array(division.leaves(of: rank)))
        }
      }
    }
  }
}

@Suite("Division of elements among ranks")
struct ElementDivisionTests {
  @Test("gives every element of every bucket to one rank, on borders of cache lines")
  func elements() {
    for count in [0, 16, 32, 112, 4816, 65536] {
      for groups in [
        [[0]], [[0, 1, 2]], [[0], [1]], [[0, 3], [1, 2, 4]], [[0, 1], [2], [3, 4, 5]],
      ] {
        for length in [nil, 16, 100, 4096] {
          let division = ElementDivision(groups: groups, count: count, bucketLength: length)
          #expect(division.buckets.reversed().flatMap { $0 } == Array(0..<count))
          for bucket in division.buckets {
            let ranges = groups.joined().map { division.elements(of: $0, in: bucket) }
            #expect(ranges.flatMap { $0 } == Array(bucket))
            #expect(ranges.allSatisfy { $0.isEmpty || $0.lowerBound % FlatLayout.alignment == 0 })
          }
        }
      }
    }
  }

  @Test("lets each group send each owner all that it owns, once")
  func messages() {
    for groups in [[[0], [1]], [[0, 3], [1, 2, 4]], [[0, 1], [2], [3, 4, 5]]] {
      let division = ElementDivision(groups: groups, count: 4816, bucketLength: 1000)
      for bucket in division.buckets {
        for (group, members) in groups.enumerated() {
          for receiver in groups.joined() where !members.contains(receiver) {
            let sent = members.flatMap { division.elements(from: $0, to: receiver, in: bucket) }
            #expect(sent == Array(division.elements(of: receiver, in: bucket)), "group \(group)")
          }
        }
      }
    }
  }
}

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
      ([784, 512, 256, 10], 128, 2), ([784, 512, 256, 10], 512, 4),
      ([4096, 4096, 4096, 1000], 128, 1), ([64, 64, 10], 1, 1), ([4, 3], 30, 1),
      ([784, 256, 128, 100, 10], 256, 2), ([784, 10], 60000, 64),
    ])
  func fixedFunction(widths: [Int], batchSize: Int, expected: Int) throws {
    let network = try network(widths)
    #expect(choice(network, batchSize) == expected)
  }

  @Test("is a power of two up to 64 and up to the batch")
  func bounds() throws {
    for widths in [[1, 1], [64, 64, 10], [784, 512, 256, 10]] {
      let network = try network(widths)
      for batchSize in [1, 2, 3, 17, 128, 1000, 100_000] {
        let count = choice(network, batchSize)
        #expect(count & (count - 1) == 0 && (1...64).contains(count) && count <= batchSize)
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
