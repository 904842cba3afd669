// The tree against its definition, and against everything that divides it among ranks and workers.

import DataParallel
import Execution
import Testing

@Suite("Tree of the sum over microbatches")
struct SumTreeTests {
  /// Patterns of presence for `count` leaves: all, each single gap, and random ones.
  private static func patterns(_ count: Int) -> [[Bool]] {
    var random = Random(seed: UInt64(count))
    var patterns = [Array(repeating: true, count: count)]
    for _ in 0..<4 { patterns.append((0..<count).map { _ in random.next() % 3 > 0 }) }
    patterns.append((0..<count).map { $0 == count / 2 })
    patterns.append(Array(repeating: false, count: count))
    return patterns
  }

  /// Terms whose sum depends on the order in which they are added.
  private static func terms(_ count: Int) -> [Float] {
    var random = Random(seed: 7)
    return (0..<count).map { _ in
      Float(Int64(bitPattern: random.next()) % 1_000_003) / 7
    }
  }

  /// Node (k, i) by its definition in the design.
  private static func definition(
    _ level: Int, _ index: Int, _ isPresent: [Bool], _ terms: [Float]
  ) -> Float? {
    if level == 0 { return index < terms.count && isPresent[index] ? terms[index] : nil }
    let left = definition(level - 1, 2 * index, isPresent, terms)
    let right = definition(level - 1, 2 * index + 1, isPresent, terms)
    if let left, let right { return left + right }
    return left ?? right
  }

  @Test("is node (k−1, 2i) plus node (k−1, 2i+1), an absent child passing its sibling on")
  func equalsDefinition() {
    for count in 1...40 {
      let terms = SumTreeTests.terms(count)
      for isPresent in SumTreeTests.patterns(count) {
        let tree = SumTree(isPresent: isPresent)
        let expected = SumTreeTests.definition(6, 0, isPresent, terms) ?? 0
        let sum = terms.withUnsafeBufferPointer { tree.sum($0) }
        #expect(sum.bitPattern == expected.bitPattern, "\(count) leaves, \(isPresent)")
      }
    }
  }

  @Test("depends on the order, or these tests would show nothing")
  func orderMatters() {
    let terms = SumTreeTests.terms(33)
    let tree = SumTree(isPresent: Array(repeating: true, count: 33))
    #expect(terms.withUnsafeBufferPointer { tree.sum($0) } != terms.reduce(0, +))
  }

  @Test("has one answer for every number of ranks and workers, also more than microbatches")
  func divisionDoesNotMatter() {
    for count in 1...40 {
      let terms = SumTreeTests.terms(count)
      for isPresent in SumTreeTests.patterns(count) {
        let tree = SumTree(isPresent: isPresent)
        let expected = terms.withUnsafeBufferPointer { tree.sum($0) }
        for size in 1...2 * count + 3 {
          let sum = SumTreeTests.divided(tree, terms, size: size, workers: 1 + (size + count) % 3)
          guard sum?.bitPattern == (tree.contains(tree.root) ? expected.bitPattern : nil) else {
            Issue.record("\(count) leaves on \(size) ranks, \(isPresent): \(sum as Any)")
            return
          }
        }
      }
    }
  }

  /// Adds the terms below a node as they come, by the additions after each.
  private static func sum(below node: SumTree.Node, _ tree: SumTree, _ terms: [Float]) -> Float {
    let leaves = node.leaves.filter { $0 < terms.count && tree.isPresent[$0] }
    let additions = tree.additions(below: node)
    precondition(additions.count == leaves.count, "\(additions) for leaves \(leaves)")
    var sums: [Float] = []
    for (leaf, count) in zip(leaves, additions) {
      sums.append(terms[leaf])
      for _ in 0..<count {
        let right = sums.removeLast()
        sums[sums.count - 1] += right
      }
    }
    precondition(sums.count == 1, "\(sums.count) sums are left below \(node)")
    return sums[0]
  }

  /// Adds as ranks and their workers do: subtrees of workers, of ranks, and the whole.
  private static func divided(
    _ tree: SumTree, _ terms: [Float], size: Int, workers: Int
  ) -> Float? {
    let division = WorkDivision(size: size, microbatches: terms.count)
    var received: [Float] = []
    var slots: [SumTree.Node: Int] = [:]
    for rank in 0..<size {
      let own = division.microbatches(of: rank)
      var pieces: [Float] = []
      var ofWorkers: [SumTree.Node: Int] = [:]
      for worker in 0..<workers {
        let nodes = tree.maximalNodes(
          in: division.microbatches(of: rank, worker: worker, of: workers))
        for node in nodes {
          ofWorkers[node] = pieces.count
          pieces.append(SumTreeTests.sum(below: node, tree, terms))
        }
      }
      for node in tree.maximalNodes(in: own) {
        let fold = tree.fold(to: node, from: ofWorkers)
        for addition in fold.additions { pieces[addition.target] += pieces[addition.source] }
        guard let slot = fold.slot else { continue }
        slots[node] = received.count
        received.append(pieces[slot])
      }
    }
    let fold = tree.fold(to: tree.root, from: slots)
    for addition in fold.additions { received[addition.target] += received[addition.source] }
    return fold.slot.map { received[$0] }
  }

  @Test("gives disjoint nodes that cover a range, at most twice the logarithm of them")
  func maximalNodes() {
    for count in 1...40 {
      let tree = SumTree(isPresent: Array(repeating: true, count: count))
      for start in 0..<count {
        for end in start + 1...count {
          let nodes = tree.maximalNodes(in: start..<end)
          let leaves = nodes.flatMap { $0.leaves.clamped(to: 0..<count) }
          #expect(leaves == Array(start..<end))
          #expect(nodes.count <= max(1, 2 * (Int.bitWidth - (count - 1).leadingZeroBitCount)))
        }
      }
    }
  }

  @Test("has sums at once whose number grows with the logarithm of the leaves")
  func sumsAtOnce() {
    for level in 0...10 {
      let count = 1 << level
      let tree = SumTree(isPresent: Array(repeating: true, count: count))
      let sum = MicrobatchGroup.Sum(of: 0..<count, additions: tree.additions(below: tree.root))
      #expect(sum.largestCount == level + 1)
    }
  }

  @Test("adds nothing where nothing is present")
  func nothing() {
    let tree = SumTree(isPresent: [false, true, false, false])
    #expect(tree.additions(below: tree.root.right) == [])
    #expect(tree.additions(below: tree.root) == [0])
  }

  @Test("sends at most 5 vectors from a rank with 64 microbatches or fewer, 1 on powers of two")
  func vectorsSent() {
    for count in [1, 2, 4, 8, 16, 32, 64] {
      let tree = SumTree(isPresent: Array(repeating: true, count: count))
      for size in 1...2 * count + 3 {
        let division = WorkDivision(size: size, microbatches: count)
        let most = (0..<size).map { tree.maximalNodes(in: division.microbatches(of: $0)).count }
          .max()
        #expect(most ?? 0 <= (size & (size - 1) == 0 ? 1 : 5), "\(count) on \(size)")
      }
    }
  }
}

/// SplitMix64, for inputs that are the same every time.
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state = state &+ 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
