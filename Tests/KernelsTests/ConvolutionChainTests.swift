import Kernels
import Tensors
import Testing

/// Geometries that reach every way of computing: tiles of all widths, panels, margins, bands and copies.
private let geometries =
  Convolution.cases + [
    // All pixels of all images in one line.
    Convolution(
      axes: [.init(kernel: 1), .init(kernel: 1)], batch: 3, input: [5, 7], inputs: 19, outputs: 37,
      groups: 1),
    // Wider than a tile; more than two panels.
    Convolution(
      axes: [.init(kernel: 3, padding: (1, 1)), .init(kernel: 3, padding: (1, 1))], batch: 2,
      input: [4, 31], inputs: 9, outputs: 83, groups: 1),
    // Few channels and a large window: copied rows, bands of an image.
    Convolution(
      axes: [
        .init(kernel: 7, stride: 4, padding: (2, 2)), .init(kernel: 7, stride: 4, padding: (2, 2)),
      ], batch: 2, input: [37, 35], inputs: 3, outputs: 20, groups: 1),
    Convolution(
      axes: [.init(kernel: 3, padding: (1, 1)), .init(kernel: 3, padding: (1, 1))], batch: 2,
      input: [26, 25], inputs: 1, outputs: 6, groups: 1),
    // Narrow images, many of them: lines across images.
    Convolution(
      axes: [.init(kernel: 3, padding: (1, 1)), .init(kernel: 3, padding: (1, 1))], batch: 19,
      input: [5, 3], inputs: 8, outputs: 24, groups: 1),
    Convolution(
      axes: [.init(kernel: 5, dilation: 2), .init(kernel: 5)], batch: 9, input: [10, 7], inputs: 6,
      outputs: 16, groups: 2),
    // Strides that leave inputs without a tap, and taps that reach nothing.
    Convolution(
      axes: [.init(kernel: 1, stride: 3), .init(kernel: 1, stride: 2)], batch: 2, input: [8, 9],
      inputs: 5, outputs: 18, groups: 1),
    Convolution(
      axes: [
        .init(kernel: 2, stride: 4, padding: (3, 3), dilation: 6),
        .init(kernel: 3, padding: (5, 5)),
      ],
      batch: 2, input: [9, 6], inputs: 7, outputs: 9, groups: 1),
    // A channel per group.
    Convolution(
      axes: [.init(kernel: 3, padding: (1, 1)), .init(kernel: 3, padding: (1, 1))], batch: 2,
      input: [9, 33], inputs: 33, outputs: 33, groups: 33),
    Convolution(
      axes: [
        .init(kernel: 5, stride: 2, padding: (2, 1)),
        .init(kernel: 3, stride: 2, padding: (1, 1), dilation: 2),
      ], batch: 3, input: [12, 11], inputs: 48, outputs: 48, groups: 48),
    Convolution(
      axes: [.init(kernel: 2, padding: (1, 0)), .init(kernel: 7, padding: (3, 3))], batch: 1,
      input: [3, 6], inputs: 5, outputs: 5, groups: 5),
    // Two channels per group.
    Convolution(
      axes: [.init(kernel: 3, padding: (1, 1))], batch: 3, input: [40], inputs: 3, outputs: 6,
      groups: 3),
  ]

/// The three tensors by chains of fused multiply-adds, one element and one product at a time.
private struct Chains {
  var x: [Float]
  var w: [Float]
  var y: [Float]

  init(_ test: Convolution, x: Vector, w: Vector, y: Vector, bias: Vector) {
    self.x = [Float](repeating: 0, count: x.count)
    self.w = [Float](repeating: 0, count: w.count)
    self.y = [Float](repeating: 0, count: y.count)
    test.forEachProduct(of: 0..<test.batch) { i, j, k in
      self.x[i].addProduct(w.pointer[j], y.pointer[k])
      self.w[j].addProduct(x.pointer[i], y.pointer[k])
      self.y[k].addProduct(x.pointer[i], w.pointer[j])
    }
    for i in self.x.indices { self.x[i] += 0 }
    for i in self.w.indices { self.w[i] += 0 }
    for i in self.y.indices {
      self.y[i] += 0
      self.y[i] += bias.pointer[i % test.outputs]
    }
  }
}

/// The orders in which sums of microbatches are added: full trees, uneven ones, chains.
private let trees: [[Int]] = [
  [0, 1], [0, 1, 0, 2], [0, 1, 0, 2, 0, 1, 0, 3], [0, 1, 1], [0, 0, 0, 3], [0, 1, 0, 1, 2],
]

@Suite("Sums of convolutions")
struct ConvolutionChainTests {
  private static let sets = InstructionSet.allCases.filter(\.isSupported)

  private func compute(
    _ kind: ImageConvolution.Kind, _ test: Convolution, on set: InstructionSet, x: Vector,
    w: Vector, y: Vector, bias: Vector? = nil, rowCounts: [Int]? = nil,
    additions: [Int] = [0]
  ) throws {
    let convolution = try ImageConvolution(
      kind, Window(test.axes), groups: test.groups, x: test.x, y: test.y,
      rowCounts: rowCounts, additions: additions, on: set)
    convolution.run(x: x.pointer, w: w.pointer, y: y.pointer, bias: bias?.pointer)
    #expect(x.isIntact && w.isIntact && y.isIntact)
  }

  @Test(
    "are chains of fused multiply-adds on every instruction set, bit for bit, at any address",
    arguments: geometries)
  fileprivate func chains(_ test: Convolution) throws {
    let x = Vector(numbers(test.x.count), offset: 1)
    let w = Vector(numbers(test.w.count, stream: 2), offset: 3)
    let y = Vector(numbers(test.y.count, stream: 3), offset: 2)
    let bias = Vector(numbers(test.outputs, stream: 4), offset: 5)
    let expected = Chains(test, x: x, w: w, y: y, bias: bias)
    for set in ConvolutionChainTests.sets {
      for offset in [0, 7] {
        let result = (
          Vector(count: x.count, offset: offset), Vector(count: w.count, offset: offset),
          Vector(count: y.count, offset: offset)
        )
        try compute(.inputGradient, test, on: set, x: result.0, w: w, y: y)
        try compute(.weightGradient, test, on: set, x: x, w: result.1, y: y)
        try compute(.forward(bias: true), test, on: set, x: x, w: w, y: result.2, bias: bias)
        #expect(result.0.bits == expected.x.map(\.bitPattern), "x on \(set)")
        #expect(result.1.bits == expected.w.map(\.bitPattern), "w on \(set)")
        #expect(result.2.bits == expected.y.map(\.bitPattern), "y on \(set)")
      }
    }
  }

  @Test("depend on an image alone, forward and to the inputs", arguments: geometries)
  fileprivate func images(_ test: Convolution) throws {
    let most = 33
    let all = test.of(images: most)
    let w = Vector(numbers(test.w.count, stream: 2))
    let (x, y) = (Vector(numbers(all.x.count)), Vector(numbers(all.y.count, stream: 3)))
    for set in ConvolutionChainTests.sets where set != .baseline {
      let whole = (Vector(count: x.count), Vector(count: y.count))
      try compute(.inputGradient, all, on: set, x: whole.0, w: w, y: y)
      try compute(.forward(bias: false), all, on: set, x: x, w: w, y: whole.1)
      for batch in [1, 2, 3, 5, 8, 12, 17, 28] {
        let part = test.of(images: batch)
        let result = (Vector(count: part.x.count), Vector(count: part.y.count))
        try compute(.inputGradient, part, on: set, x: result.0, w: w, y: y)
        try compute(.forward(bias: false), part, on: set, x: x, w: w, y: result.1)
        #expect(result.0.bits == Array(whole.0.bits.prefix(part.x.count)), "\(batch) on \(set)")
        #expect(result.1.bits == Array(whole.1.bits.prefix(part.y.count)), "\(batch) on \(set)")
      }
    }
  }

  @Test("over microbatches are those of each, added as the tree says", arguments: geometries, trees)
  fileprivate func microbatches(_ test: Convolution, additions: [Int]) throws {
    let rows = additions.indices.map { $0 * 5 % 3 + 1 }
    let all = test.of(images: rows.reduce(0, +))
    let (x, y) = (Vector(numbers(all.x.count)), Vector(numbers(all.y.count, stream: 3)))
    for set in ConvolutionChainTests.sets where set != .baseline {
      let whole = Vector(count: test.w.count)
      try compute(
        .weightGradient, all, on: set, x: x, w: whole, y: y,
        rowCounts: rows, additions: additions)
      var sums: [[Float]] = []
      var start = 0
      for (count, additions) in zip(rows, additions) {
        let part = test.of(images: count)
        let (pixels, positions) = (test.x.count / test.batch, test.y.count / test.batch)
        let leaf = Vector(count: test.w.count)
        try compute(
          .weightGradient, part, on: set,
          x: Vector(Array(x.values[start * pixels..<(start + count) * pixels])), w: leaf,
          y: Vector(Array(y.values[start * positions..<(start + count) * positions])))
        sums.append(leaf.values)
        for _ in 0..<additions {
          let last = sums.removeLast()
          sums.append(zip(sums.removeLast(), last).map { $0 + $1 })
        }
        start += count
      }
      #expect(whole.values == sums[0], "on \(set)")
    }
  }
}
