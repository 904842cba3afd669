/// The ranges of named arrays in one flat vector.
///
/// Parameters, gradients and optimiser state share one layout, so sums, updates and files work on
/// ranges and know no layers. Every range starts on a cache line. The elements between ranges are padding:
/// they are zero in every vector; sums and updates process them too, and keep them zero.
public struct FlatLayout: Hashable, Sendable {
  /// One named array: `shape.count` elements from `offset`.
  public struct Range: Hashable, Sendable {
    /// The path of the array, such as `affine1/weight`.
    public let name: String
    /// The lengths of its axes.
    public let shape: Shape
    /// The index of its first element in the flat vector, a multiple of ``FlatLayout/alignment``.
    public let offset: Int

    /// The number of its elements.
    public var count: Int { shape.count }
    /// The indices of its elements in the flat vector.
    public var indices: Swift.Range<Int> { offset..<offset + count }
  }

  /// The number of elements that every offset is a multiple of: one cache line of `Float`.
  public static let alignment = 16

  /// The elements of a block: sums over elements go by blocks that lie fixed in the whole vector and by a
  /// fixed tree over the blocks, so that ranks may share the blocks out without changing a bit.
  public static let blockLength = 4096

  /// The named arrays, in the order given.
  public let ranges: [Range]
  /// The length of a flat vector of this layout, padding included; a multiple of ``alignment``.
  public let count: Int
  private let indexByName: [String: Int]

  /// Lays out `arrays` one after another.
  ///
  /// - Parameter arrays: Names, which must differ, and shapes.
  public init(_ arrays: [(name: String, shape: Shape)]) {
    var ranges: [Range] = []
    var offset = 0
    var indexByName: [String: Int] = [:]
    for (name, shape) in arrays {
      precondition(indexByName[name] == nil, "two arrays named '\(name)'")
      indexByName[name] = ranges.count
      ranges.append(Range(name: name, shape: shape, offset: offset))
      offset += shape.count.rounded(upToMultipleOf: FlatLayout.alignment)
    }
    self.ranges = ranges
    self.indexByName = indexByName
    count = offset
  }

  private init(_ ranges: ArraySlice<Range>, end: Int) {
    self.ranges = Array(ranges)
    count = end
    indexByName = Dictionary(
      uniqueKeysWithValues: self.ranges.enumerated().map { ($1.name, $0) })
  }

  /// The layout of consecutive arrays, which keep their offsets.
  ///
  /// - Parameter indices: The indices of the arrays in ``ranges``.
  /// - Returns: A layout for the same flat vectors up to the end of these arrays.
  public subscript(indices: some RangeExpression<Int>) -> FlatLayout {
    let indices = indices.relative(to: ranges)
    let end = indices.upperBound < ranges.count ? ranges[indices.upperBound].offset : count
    return FlatLayout(ranges[indices], end: end)
  }

  /// The number of elements without padding.
  public var elementCount: Int { ranges.reduce(0) { $0 + $1.count } }

  /// The array of a name; nil if the layout has none of that name.
  ///
  /// - Complexity: O(1).
  public subscript(name: String) -> Range? { indexByName[name].map { ranges[$0] } }
}
