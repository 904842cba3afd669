import Numerics
import Tensors

/// The arrays that an optimizer sums over, cut into pieces where blocks of ``FlatLayout/blockLength`` elements
/// of the whole vector end: a function of the layout alone.
package struct Pieces: Sendable {
  /// The elements of each piece, ascending.
  let elements: [Range<Int>]
  /// The indices of the pieces of each array.
  let arrays: [Range<Int>]

  /// Cuts arrays into pieces.
  ///
  /// - Parameter arrays: The elements of each array, ascending; empty for arrays that are not summed over.
  package init(_ arrays: [Range<Int>]) {
    var pieces: [Range<Int>] = []
    var ofArrays: [Range<Int>] = []
    for array in arrays {
      let first = pieces.count
      var start = array.lowerBound
      while start < array.upperBound {
        let border = (start / FlatLayout.blockLength + 1) * FlatLayout.blockLength
        let end = min(border, array.upperBound)
        pieces.append(start..<end)
        start = end
      }
      ofArrays.append(first..<pieces.count)
    }
    elements = pieces
    self.arrays = ofArrays
  }

  /// The number of sums of all pieces, in all rounds.
  package var sumCount: Int {
    PieceSums.roundCount * PieceSums.quantityCount * elements.count
  }

  /// Returns the indices of the pieces in a range of elements, which cuts none of them.
  ///
  /// - Complexity: O(log pieces).
  package func indices(in elements: Range<Int>) -> Range<Int> {
    /// Returns the first piece that begins at an element or later.
    func first(_ element: Int) -> Int {
      var (low, high) = (0, self.elements.count)
      while low < high {
        let middle = (low + high) / 2
        if self.elements[middle].lowerBound < element { low = middle + 1 } else { high = middle }
      }
      return low
    }
    return first(elements.lowerBound)..<first(elements.upperBound)
  }
}

/// Sums over the elements of flat vectors, the same bits however threads and ranks share the elements out.
///
/// Each piece is added by one thread, which owns whole blocks; the sums of pieces are added in one tree, once all
/// are there.
package final class PieceSums {
  /// The number of sums per piece and round.
  package static let quantityCount = 2
  /// The rounds of sums in a step.
  static let roundCount = 2

  /// The pieces.
  let pieces: Pieces
  /// For each round and quantity one sum per piece.
  package let values: UnsafeMutablePointer<Double>
  /// The owner of the values; nil if they are this object's own.
  private let owner: AnyObject?

  /// Creates sums of pieces in memory of their own.
  package init(_ pieces: Pieces) {
    self.pieces = pieces
    values = .allocate(capacity: max(pieces.sumCount, 1))
    values.initialize(repeating: 0, count: pieces.sumCount)
    owner = nil
  }

  /// Creates sums of pieces in shared memory.
  ///
  /// - Parameters:
  ///   - pieces: The pieces.
  ///   - values: Room for ``Pieces/sumCount`` numbers, zeros.
  ///   - owner: Keeps that memory.
  package init(_ pieces: Pieces, in values: UnsafeMutablePointer<Double>, owner: AnyObject) {
    self.pieces = pieces
    self.values = values
    self.owner = owner
  }

  deinit {
    if owner == nil { values.deallocate() }
  }

  /// The memory of the sums, in bytes.
  package var byteCount: Int { pieces.sumCount * MemoryLayout<Double>.stride }

  /// Calls `body` with each piece in a range of elements, which cuts none of them.
  ///
  /// - Complexity: O(log pieces + pieces in the range); no allocation.
  @inline(__always)
  func forEach(in elements: Range<Int>, _ body: (_ piece: Int, Range<Int>) -> Void) {
    for piece in pieces.indices(in: elements) { body(piece, pieces.elements[piece]) }
  }

  /// Stores the sum of a piece.
  func set(_ sum: Double, of piece: Int, quantity: Int, round: Int) {
    values[offset(quantity, round) + piece] = sum
  }

  /// Returns the sum over one array, once those of its pieces are there.
  func sum(ofArray array: Int, quantity: Int, round: Int) -> Double {
    let range = pieces.arrays[array]
    return neighborTreeSum(
      values + offset(quantity, round) + range.lowerBound, count: range.count)
  }

  /// Returns the sum over all arrays, once those of all pieces are there.
  func sum(quantity: Int, round: Int) -> Double {
    neighborTreeSum(values + offset(quantity, round), count: pieces.elements.count)
  }

  /// Returns the index of the first sum of a quantity in a round.
  package func offset(_ quantity: Int, _ round: Int) -> Int {
    (round * PieceSums.quantityCount + quantity) * pieces.elements.count
  }
}
