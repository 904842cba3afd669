// Products of bfloat16 operands: the same as those in Float of numbers that were rounded before.

import Kernels
import OneDNN
import Tensors
import Testing

@Suite("Bfloat16")
struct BFloat16Tests {
  @Test(
    "rounds to nearest, ties to even, and keeps what is no number",
    .enabled(if: BFloat16Matmul.isSupported), arguments: [0, 3, 16])
  func rounding(offset: Int) throws {
    let cases: [(Float, UInt16)] = [
      (0, 0), (-0.0, 0x8000), (1, 0x3f80), (Float(bitPattern: 0x3f80_8000), 0x3f80),
      (Float(bitPattern: 0x3f81_8000), 0x3f82), (Float(bitPattern: 0x3f80_8001), 0x3f81),
      (Float(bitPattern: 0x3f80_7fff), 0x3f80), (.greatestFiniteMagnitude, 0x7f80),
      (.infinity, 0x7f80), (-.infinity, 0xff80), (.nan, 0x7fc0),
      (Float(bitPattern: 0x7fff_ffff), 0x7fff), (Float(bitPattern: 0xffff_ffff), 0xffff),
      (.leastNonzeroMagnitude, 0),
    ]
    var values = [Float](repeating: 3, count: offset) + cases.map(\.0)
    values += [Float](repeating: 5, count: 5)
    var rounded = [UInt16](repeating: 1, count: values.count + 1)
    try BFloat16Rounding(count: values.count).run(values, into: &rounded)
    for (index, (value, expected)) in cases.enumerated() {
      #expect(rounded[offset + index] == expected, "\(value)")
    }
    #expect(rounded[values.count - 1] == 0x40a0)
    #expect(rounded[values.count] == 1)
  }

  @Test(
    "products are those of rounded operands, with bias and activation",
    .enabled(if: BFloat16Matmul.isSupported),
    arguments: [(1, 1, 1), (3, 5, 7), (17, 10, 33), (64, 48, 100)], [false, true])
  func products(extents: (m: Int, n: Int, k: Int), isTransposed: Bool) throws {
    let (m, n, k) = extents
    let (a, b, bias) = try (Rounded(m * k, 1), Rounded(k * n, 2), Rounded(n, 3))
    let (half, whole) = (FloatBuffer(count: m * n), FloatBuffer(count: m * n))
    try BFloat16Matmul(
      rows: m, columns: n, depth: k, transposeLHS: isTransposed, transposeRHS: !isTransposed,
      bias: true, activation: .relu
    ).run(lhs: a.rounded, rhs: b.rounded, bias: bias.floats.pointer, into: half.pointer)
    Matmul(
      rows: m, columns: n, depth: k, transposeLHS: isTransposed, transposeRHS: !isTransposed,
      bias: true, activation: .relu
    ).run(
      lhs: a.floats.pointer, rhs: b.floats.pointer, bias: bias.floats.pointer, into: whole.pointer)
    expectClose(half, whole)
  }

  @Test(
    "convolutions and their gradients are those of rounded operands",
    .enabled(if: BFloat16Matmul.isSupported),
    arguments: [(1, 1, 1), (3, 20, 1), (8, 16, 2)])
  func convolutions(inputs: Int, outputs: Int, groups: Int) throws {
    let window = Window([
      .init(kernel: 3, padding: (1, 1)), .init(kernel: 2, stride: 2, padding: (0, 1)),
    ])
    let (x, y) = (Shape([3, 7, 9, inputs]), Shape([3, 7, 5, outputs]))
    let (rx, ry) = try (Rounded(x.count, 1), Rounded(y.count, 2))
    let rw = try Rounded(outputs * inputs / groups * 6, 3)
    for kind in [ImageConvolution.Kind.forward(bias: false), .inputGradient, .weightGradient] {
      let half = try ImageConvolution(
        kind, window, groups: groups, x: x, y: y, hasBFloat16Operands: true)
      let whole = try ImageConvolution(kind, window, groups: groups, x: x, y: y)
      let count =
        switch kind {
        case .forward: y.count
        case .inputGradient: x.count
        case .weightGradient: rw.floats.count
        }
      let (a, b) = (FloatBuffer(count: count), FloatBuffer(count: count))
      switch kind {
      case .forward:
        half.run(x: rx.rounded, w: rw.floats.pointer, y: a.pointer, bias: nil)
        whole.run(x: rx.floats.pointer, w: rw.floats.pointer, y: b.pointer, bias: nil)
      case .inputGradient:
        half.run(x: a.pointer, w: rw.floats.pointer, y: ry.rounded, bias: nil)
        whole.run(x: b.pointer, w: rw.floats.pointer, y: ry.floats.pointer, bias: nil)
      case .weightGradient:
        half.run(x: rx.rounded, w: a.pointer, y: ry.rounded, bias: nil)
        whole.run(x: rx.floats.pointer, w: b.pointer, y: ry.floats.pointer, bias: nil)
      }
      expectClose(a, b)
    }
  }

  @Test(
    "gradients of convolution weights over microbatches are those of each, added up",
    .enabled(if: BFloat16Matmul.isSupported))
  func microbatches() throws {
    let window = Window([.init(kernel: 3), .init(kernel: 3, padding: (1, 1))])
    let (x, y) = (Shape([3, 7, 9, 4]), Shape([3, 5, 9, 6]))
    let (rx, ry) = try (Rounded(x.count, 1), Rounded(y.count, 2))
    func gradient(_ images: Range<Int>, rowCounts: [Int]? = nil, additions: [Int] = [0]) throws
      -> FloatBuffer
    {
      let w = FloatBuffer(count: 6 * 4 * 9)
      try ImageConvolution(
        .weightGradient, window, groups: 1, x: [images.count, 7, 9, 4],
        y: [images.count, 5, 9, 6], hasBFloat16Operands: true, rowCounts: rowCounts,
        additions: additions
      ).run(
        x: rx.rounded + images.lowerBound * x.count / 3, w: w.pointer,
        y: ry.rounded + images.lowerBound * y.count / 3, bias: nil)
      return w
    }
    let whole = try gradient(0..<3, rowCounts: [1, 2], additions: [0, 1])
    let (first, second) = (try gradient(0..<1), try gradient(1..<3))
    #expect(Array(whole.elements) == zip(first.elements, second.elements).map { $0 + $1 })
  }

  private func expectClose(_ half: FloatBuffer, _ whole: FloatBuffer) {
    let scale = whole.elements.reduce(Float(1e-3)) { max($0, abs($1)) }
    let error = zip(half.elements, whole.elements).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
    #expect(error <= 2e-6 * scale)
  }
}

/// Numbers that are whole bfloat16, in both formats.
private final class Rounded {
  let floats: FloatBuffer
  let rounded: UnsafeMutablePointer<UInt16>

  init(_ count: Int, _ seed: Int) throws {
    floats = FloatBuffer(count: count)
    rounded = .allocate(capacity: count)
    for index in 0..<count {
      let value = Float((index &* 7919 &+ seed &* 104_729) % 2003) / 1001.5 - 1
      floats.pointer[index] = value
    }
    try BFloat16Rounding(count: count).run(floats.pointer, into: rounded)
    for index in 0..<count {
      floats.pointer[index] = Float(bitPattern: UInt32(rounded[index]) << 16)
    }
  }

  deinit { rounded.deallocate() }
}
