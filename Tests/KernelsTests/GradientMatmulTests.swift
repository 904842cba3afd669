import Kernels
import Testing

@Suite("Gradients over microbatches")
struct GradientMatmulTests {
  static let levels = InstructionSet.allCases.filter(\.isSupported)

  /// Microbatches and the order of their sum.
  struct Tree: Sendable, CustomTestStringConvertible {
    let rowCounts: [Int]
    let additions: [Int]
    var testDescription: String { "rows \(rowCounts.prefix(9)), additions \(additions.prefix(9))" }

    /// The additions of microbatches in the tree of neighbours that breaks off after the last one.
    init(_ rowCounts: [Int]) {
      self.rowCounts = rowCounts
      additions = rowCounts.indices.map { j in
        guard j + 1 == rowCounts.count else { return (j + 1).trailingZeroBitCount }
        // The sums that wait, one a bit of the count so far, and the last leaf itself.
        return j.nonzeroBitCount
      }
    }

    init(_ rowCounts: [Int], additions: [Int]) {
      (self.rowCounts, self.additions) = (rowCounts, additions)
    }

    static let all =
      [1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 33, 64, 1024].map { Tree([Int](repeating: 1, count: $0)) }
      + [2, 3, 8, 16, 31].map { Tree([Int](repeating: 2, count: $0)) }
      + [2, 4, 7, 8].map { Tree([Int](repeating: 4, count: $0)) }
      + [
        Tree([16]), Tree([130]), Tree([16, 16, 16, 16, 16, 16, 16, 16]),
        Tree([13, 13, 12, 13, 12]),
        Tree([1, 2, 3, 4, 5, 6, 7, 8]), Tree([9, 1, 1, 17, 2]), Tree([1, 3, 3, 1]),
        // All to the left, all to the right, and one without a left neighbour of its size.
        Tree([2, 1, 3, 2, 2], additions: [0, 1, 1, 1, 1]),
        Tree([2, 1, 3, 2, 2], additions: [0, 0, 0, 0, 4]),
        Tree([3, 1, 4, 1, 5, 9], additions: [0, 0, 1, 1, 0, 3]),
        Tree([1, 1, 1, 1, 1, 1], additions: [0, 1, 0, 0, 1, 3]),
      ]
  }

  static let shapes = [
    (1, 1), (2, 4), (10, 17), (6, 33), (7, 48), (13, 50), (25, 96), (40, 150), (3, 200),
  ]

  @Test("are those of one product each, added in the order of the tree", arguments: Tree.all)
  func separate(tree: Tree) {
    let rows = tree.rowCounts.reduce(0, +)
    for (m, n) in GradientMatmulTests.shapes where rows * m * n < 400_000 {
      let (a, b) = (numbers(rows * m), numbers(rows * n, stream: 2))
      for level in GradientMatmulTests.levels {
        let expected = separately(a, b, m, n, tree, level)
        for offset in [0, 3] {
          let (x, y) = (Vector(a, offset: offset), Vector(b, offset: 5 - offset))
          let c = Vector(count: m * n, offset: offset + 1)
          GradientMatmul(
            lhsColumns: m, rhsColumns: n, rowCounts: tree.rowCounts, additions: tree.additions,
            on: level
          ).run(lhs: x.pointer, rhs: y.pointer, into: c.pointer)
          #expect(c.plainBits == expected, "[\(m), \(n)] at \(level)")
          #expect(c.isIntact)
        }
      }
    }
  }

  @Test(
    "are the same at every level where operands go in blocks", arguments: [1, 2, 16],
    [(64, 70, 3000), (16, 2100, 130)])
  func blocks(count: Int, extents: (rows: Int, m: Int, n: Int)) {
    let (rows, m, n) = extents
    let tree = Tree([Int](repeating: rows / count, count: count))
    let (a, b) = (numbers(rows * m), numbers(rows * n, stream: 2))
    let expected = separately(a, b, m, n, tree, .best)
    for level in GradientMatmulTests.levels {
      let c = Vector(count: m * n, offset: 1)
      GradientMatmul(
        lhsColumns: m, rhsColumns: n, rowCounts: tree.rowCounts, additions: tree.additions,
        on: level
      ).run(lhs: a, rhs: b, into: c.pointer)
      #expect(c.plainBits == expected, "\(level)")
      #expect(c.isIntact)
    }
  }

  @Test("of one microbatch are one chain an element, in odd extents of every size")
  func oneMicrobatch() {
    for rows in 1...130 {
      let (m, n) = (rows % 29 + 1, rows % 53 + 1)
      let (a, b) = (numbers(rows * m), numbers(rows * n, stream: 2))
      let expected = Storage(lhs: true, rhs: false).chains(a, b, rows: m, columns: n, depth: rows)
      for level in GradientMatmulTests.levels {
        let c = Vector(count: m * n)
        GradientMatmul(
          lhsColumns: m, rhsColumns: n, rowCounts: [rows], additions: [0], on: level
        ).run(lhs: a, rhs: b, into: c.pointer)
        #expect(c.plainBits == expected, "\(rows) rows at \(level)")
      }
    }
  }

  @Test("keep what is infinite or no number, and agree with sums in Double")
  func values() {
    let (rows, m, n) = (48, 19, 37)
    let tree = Tree([Int](repeating: 3, count: 16))
    var (a, b) = (numbers(rows * m), numbers(rows * n, stream: 2))
    let c = Vector(count: m * n)
    let gradient = GradientMatmul(
      lhsColumns: m, rhsColumns: n, rowCounts: tree.rowCounts, additions: tree.additions)
    gradient.run(lhs: a, rhs: b, into: c.pointer)
    var expected: [Double] = []
    for i in 0..<m {
      for j in 0..<n {
        expected.append((0..<rows).reduce(0) { $0 + Double(a[$1 * m + i]) * Double(b[$1 * n + j]) })
      }
    }
    #expect(distance(c.values, expected) < 1e-6)
    (a[100], a[345], b[200], b[777]) = (.nan, .infinity, -.infinity, .nan)
    gradient.run(lhs: a, rhs: b, into: c.pointer)
    #expect(c.plainBits == separately(a, b, m, n, tree, .baseline))
    #expect(c.plainBits.contains(Float.nan.bitPattern))
  }

  @Test("without elements are nothing")
  func empty() {
    let c = Vector([7])
    for (m, n) in [(0, 3), (3, 0)] {
      GradientMatmul(lhsColumns: m, rhsColumns: n, rowCounts: [2, 1], additions: [0, 1])
        .run(lhs: c.pointer, rhs: c.pointer, into: c.pointer)
    }
    #expect(c.values == [7])
  }

  @Test("of biases are sums of their own, added in the order of the tree", arguments: Tree.all)
  func columns(tree: Tree) {
    let rows = tree.rowCounts.reduce(0, +)
    for columns in [1, 2, 15, 16, 17, 31, 32, 33, 50, 70] {
      let a = numbers(rows * columns)
      var (sums, first): ([[Float]], Int) = ([], 0)
      for (count, additions) in zip(tree.rowCounts, tree.additions) {
        let sum = Vector(count: columns)
        let rows = Vector(Array(a[first * columns..<(first + count) * columns]))
        Reduction.sum(rows.pointer, outer: 1, middle: count, inner: columns, into: sum.pointer)
        first += count
        sums.append(sum.values)
        for _ in 0..<additions {
          let right = sums.removeLast()
          sums.append(zip(sums.removeLast(), right).map { $0 + $1 })
        }
      }
      for offset in [0, 5] {
        let (x, c) = (Vector(a, offset: offset), Vector(count: columns, offset: offset))
        GradientColumnSum(columns: columns, rowCounts: tree.rowCounts, additions: tree.additions)
          .run(x.pointer, into: c.pointer)
        #expect(c.bits == sums[0].map(\.bitPattern), "\(columns) columns")
        #expect(c.isIntact)
      }
    }
  }

  /// The bits of one product a microbatch, and of sums of whole results.
  private func separately(
    _ a: [Float], _ b: [Float], _ m: Int, _ n: Int, _ tree: Tree, _ level: InstructionSet
  ) -> [UInt32] {
    var (sums, first): ([[Float]], Int) = ([], 0)
    for (count, additions) in zip(tree.rowCounts, tree.additions) {
      let c = Vector(count: m * n)
      let matmul = Matmul(
        rows: m, columns: n, depth: count, transposeLHS: true, transposeRHS: false, bias: false,
        activation: .none, on: level)
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          guard let a = a.baseAddress, let b = b.baseAddress else { return }
          matmul.run(lhs: a + first * m, rhs: b + first * n, bias: nil, into: c.pointer)
        }
      }
      first += count
      sums.append(c.values)
      for _ in 0..<additions {
        let right = sums.removeLast()
        sums.append(zip(sums.removeLast(), right).map { $0 + $1 })
      }
    }
    return Vector(sums[0]).plainBits
  }
}
