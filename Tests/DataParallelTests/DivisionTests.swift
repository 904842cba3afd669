// How rows are cut into microbatches, and microbatches and elements shared out among ranks.

import DataParallel
import Tensors
import Testing

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
        let shares = (0..<size).map { division.microbatches(of: $0) }
        #expect(shares.flatMap { $0 } == Array(0..<microbatches))
        #expect(shares.map(\.count).max() == division.maximumPerRank)
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
        let inOrder = groups.joined().flatMap { division.microbatches(of: $0) }
        #expect(inOrder == Array(0..<microbatches))
        for (group, members) in groups.enumerated() {
          #expect(
            members.flatMap { division.microbatches(of: $0) }
              == Array(division.microbatches(ofGroup: group)))
        }
        for rank in 0..<size {
          let ofWorkers = (0..<3).flatMap { division.microbatches(of: rank, worker: $0, of: 3) }
          #expect(ofWorkers == Array(division.microbatches(of: rank)))
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

@Suite("Division of elements in blocks")
struct BlockDivisionTests {
  @Test("gives whole blocks to ranks, and every element of every bucket to one of them")
  func blocks() {
    for count in [0, 16, 4096, 4112, 65536, 70000 / 16 * 16] {
      for groups in [
        [[0]], [[0, 1, 2]], [[0], [1]], [[0, 3], [1, 2, 4]], [[0, 1], [2], [3, 4]],
      ] {
        for length in [nil, 16, 5000, 20000] {
          let division = ElementDivision(
            groups: groups, count: count, bucketLength: length, alignment: 4096)
          #expect(division.buckets.reversed().flatMap { $0 } == Array(0..<count))
          for bucket in division.buckets {
            let ranges = groups.joined().map { division.elements(of: $0, in: bucket) }
            #expect(ranges.flatMap { $0 } == Array(bucket))
            for range in ranges where !range.isEmpty {
              #expect(range.lowerBound % 4096 == 0)
              #expect(range.upperBound % 4096 == 0 || range.upperBound == count)
            }
            for sender in groups.joined() {
              for receiver in groups.joined() {
                let sent = division.elements(from: sender, to: receiver, in: bucket)
                #expect(sent.isEmpty || sent.lowerBound % 4096 == 0)
              }
            }
          }
        }
      }
    }
  }
}
