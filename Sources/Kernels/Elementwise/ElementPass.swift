// Several elementwise operations as one pass, block after block.

/// Elementwise operations that are done together for one block of elements after another, so that what lies
/// between them stays in the nearest cache.
///
/// An element gets the bits that the operations one after another give it.
package enum ElementPass {
  /// The most elements of a block, but for rows that are longer.
  package static let blockLength = 512
  /// The most elements of rows that go with each row of a result.
  package static let longestRow = 2048

  /// The elements of a block whose operands are repeated after `period` elements: whole rows.
  package static func blockLength(period: Int) -> Int { max(blockLength / period, 1) * period }

  /// Does all operations.
  ///
  /// - Parameters:
  ///   - steps: The operations, in order.
  ///   - stepCount: Their number.
  ///   - places: The places of their operands and results.
  ///   - count: The number of elements.
  ///   - block: The elements of a block.
  /// - Complexity: one pass over operands and results; allocates nothing.
  package static func run(
    _ steps: UnsafePointer<ElementStep>, stepCount: Int, _ places: UnsafePointer<ElementPlace>,
    count: Int, block: Int
  ) { kernels.run(steps, stepCount: stepCount, places, count: count, block: block) }

  /// Writes an operand of `count` elements again and again until a block is full.
  package static func fill(
    _ block: UnsafeMutablePointer<Float>, length: Int, repeating operand: UnsafePointer<Float>,
    count: Int
  ) {
    guard count > 1 else { return block.update(repeating: operand[0], count: length) }
    var start = 0
    while start < length {
      (block + start).update(from: operand, count: min(count, length &- start))
      start &+= count
    }
  }
}
