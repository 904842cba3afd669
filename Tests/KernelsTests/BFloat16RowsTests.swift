// Rows of products of bfloat16 operands: the bits of a row are its own, however many rows there are.

import Kernels
import Tensors
import Testing

@Suite("Rows of bfloat16", .enabled(if: BFloat16Matmul.isSupported))
struct BFloat16RowsTests {
  @Test(
    "of products do not depend on their number", arguments: [false, true],
    [(10, 64), (33, 7), (129, 65), (256, 784), (1, 100)])
  func products(isTransposed: Bool, extents: (n: Int, k: Int)) throws {
    let (n, k) = extents
    let a = try rounded(130 * k, stream: 1)
    let b = try rounded(k * n, stream: 2)
    func product(rows m: Int, from first: Int) throws -> [UInt32] {
      let c = Vector(count: m * n)
      try BFloat16Matmul(
        rows: m, columns: n, depth: k, transposeLHS: false, transposeRHS: isTransposed,
        bias: false, activation: .none
      ).run(lhs: Array(a[(first * k)...]), rhs: b, bias: nil, into: c.pointer)
      return c.bits
    }
    let all = try product(rows: 130, from: 0)
    for rows in Array(1..<49) + [63, 64, 65, 127, 128, 129] {
      #expect(try product(rows: rows, from: 0) == Array(all.prefix(rows * n)), "first \(rows)")
      let last = try product(rows: rows, from: 130 - rows)
      #expect(last == Array(all.suffix(rows * n)), "last \(rows)")
    }
  }

  @Test(
    "of convolutions and their gradients do not depend on the number of images",
    arguments: [true, false], [(1, 16, 1), (16, 33, 1), (8, 16, 2), (32, 32, 32)])
  func convolutions(isForward: Bool, channels: (inputs: Int, outputs: Int, groups: Int)) throws {
    let axis = Window.Axis(kernel: 3, stride: 2, padding: (1, 1))
    let (x, y) = ([9, 9, channels.inputs], [5, 5, channels.outputs])
    let operand = try rounded(33 * (isForward ? x : y).reduce(1, *), stream: 1)
    let w = Vector(numbers(channels.outputs * channels.inputs / channels.groups * 9, stream: 2))
    func images(_ count: Int) throws -> [UInt32] {
      var operand = operand
      let c = Vector(count: count * (isForward ? y : x).reduce(1, *))
      let convolution = try ImageConvolution(
        isForward ? .forward(bias: false) : .inputGradient, Window([axis, axis]),
        groups: channels.groups, x: Shape([count] + x), y: Shape([count] + y),
        hasBFloat16Operands: true)
      operand.withUnsafeMutableBytes {
        guard let given = $0.baseAddress else { return }
        convolution.run(
          x: isForward ? given : UnsafeMutableRawPointer(c.pointer), w: w.pointer,
          y: isForward ? UnsafeMutableRawPointer(c.pointer) : given, bias: nil)
      }
      return c.bits
    }
    let all = try images(33)
    for count in 1..<33 {
      let some = try images(count)
      #expect(some == Array(all.prefix(some.count)), "\(count) images")
    }
  }

  /// Numbers that are rounded to bfloat16.
  private func rounded(_ count: Int, stream: UInt32) throws -> [UInt16] {
    var result = [UInt16](repeating: 0, count: count)
    try BFloat16Rounding(count: count).run(numbers(count, stream: stream), into: &result)
    return result
  }
}
