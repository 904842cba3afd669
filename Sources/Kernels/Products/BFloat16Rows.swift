// The check of the library that rows of bfloat16 products do not depend on one another.

import Tensors

/// The independence of rows in products of bfloat16 operands, which are the library's.
public enum BFloat16Rows {
  /// Indicates that a row of a product, or an image of a convolution, has the same bits however many there are.
  ///
  /// Tried once, on some shapes; false where such products are not supported.
  ///
  /// - Complexity: some milliseconds for the first call.
  public static let areIndependent =
    BFloat16Matmul.isSupported
    && ((try? productsAreIndependent() && imagesAreIndependent()) ?? false)

  /// The row counts that are compared with the largest.
  private static let rowCounts = [1, 2, 3, 5, 8, 13, 16, 17, 31, 48, 64]

  private static func productsAreIndependent() throws -> Bool {
    for (n, k) in [(10, 64), (33, 7), (129, 300), (256, 784)] {
      for isTransposed in [false, true] {
        let (a, b) = (numbers(64 * k), numbers(k * n + 1))
        func product(rows: Int) throws -> [Float] {
          var c = [Float](repeating: 0, count: rows * n)
          try BFloat16Matmul(
            rows: rows, columns: n, depth: k, transposeLHS: false, transposeRHS: isTransposed,
            bias: false, activation: .none
          ).run(lhs: a, rhs: b, bias: nil, into: &c)
          return c
        }
        guard try isPrefix(of: product(rows: 64), product) else { return false }
      }
    }
    return true
  }

  private static func imagesAreIndependent() throws -> Bool {
    let axis = Window.Axis(kernel: 3, padding: (1, 1))
    for isForward in [true, false] {
      let shape = [8, 8, 16]
      let weights = (0..<16 * 16 * 9).map { Float($0 % 7) - 3 }
      func images(_ count: Int) throws -> [Float] {
        var (given, w) = (numbers(count * 8 * 8 * 16), weights)
        var c = [Float](repeating: 0, count: count * 8 * 8 * 16)
        let convolution = try ImageConvolution(
          isForward ? .forward(bias: false) : .inputGradient, Window([axis, axis]), groups: 1,
          x: Shape([count] + shape), y: Shape([count] + shape), hasBFloat16Operands: true)
        given.withUnsafeMutableBytes { given in
          w.withUnsafeMutableBytes { w in
            c.withUnsafeMutableBytes { c in
              guard let from = given.baseAddress, let by = w.baseAddress, let to = c.baseAddress
              else { preconditionFailure("arrays without memory") }
              convolution.run(
                x: isForward ? from : to, w: by, y: isForward ? to : from, bias: nil)
            }
          }
        }
        return c
      }
      guard try isPrefix(of: images(64), images) else { return false }
    }
    return true
  }

  /// Returns true if fewer rows have the bits of the first of all rows.
  private static func isPrefix(of all: [Float], _ first: (Int) throws -> [Float]) throws -> Bool {
    try rowCounts.allSatisfy { count in
      let some = try first(count)
      return zip(some, all).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
  }

  /// Numbers of bfloat16 between 1 and 2, of either sign.
  private static func numbers(_ count: Int) -> [UInt16] {
    (0..<count).map { index in
      let bits = UInt16(truncatingIfNeeded: index &* 40503 &>> 7)
      return 0x3F80 | bits & 0x7F | (bits & 0x100) << 7
    }
  }
}
