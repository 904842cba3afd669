// Memory by name: regions, places in them, and values that lie there.
public import Graphs

/// A memory that the steps of a schedule work on.
///
/// Everything that a step reads or writes lies in one of these; only what a library needs while one of its
/// calls runs is the backend's own.
public enum Region: UInt8, CaseIterable, Hashable, Sendable {
  /// Floats that live for a part of a run; shared by all schedules of a workspace.
  case arena
  /// The flat parameters, of the caller.
  case parameters
  /// The flat gradient, of the caller.
  case gradient
  /// Floats that are known when the schedule is made.
  case constants
  /// Class numbers, `Int32`.
  case labels
  /// Bytes: which element of each window was the largest.
  case argmaxIndices
  /// Floats: means, deviations and sums of normalizations.
  case statistics
  /// The parameters that products take in bfloat16, at the offsets that they have among the parameters.
  case roundedParameters
  /// Two halves: the other operands of the product at hand in bfloat16.
  case roundedOperands

  /// The type of the elements, in words.
  public var element: String {
    switch self {
    case .arena, .parameters, .gradient, .constants, .statistics: "float"
    case .labels: "int32"
    case .argmaxIndices: "byte"
    case .roundedParameters, .roundedOperands: "bfloat16"
    }
  }
}

/// A place in a region, fixed when the schedule is made.
public struct Location: Hashable, Sendable {
  /// The region.
  public let region: Region
  /// The elements from the start of the region.
  public let offset: Int

  /// Creates a place.
  public init(_ region: Region, _ offset: Int) {
    self.region = region
    self.offset = offset
  }
}

extension Location: CustomStringConvertible {
  /// The region and the offset, such as `arena 128`.
  public var description: String { "\(region) \(offset)" }
}

/// A value that steps read or write: row-major elements in one place.
public struct Value: Hashable, Sendable {
  /// The first element.
  public let location: Location
  /// The lengths of the axes, where the number of rows is still a symbol.
  public let shape: SymbolicShape
  /// The division among the microbatches of the group.
  public let spread: Spread

  /// Creates a value.
  public init(_ location: Location, _ shape: SymbolicShape, _ spread: Spread = .shared) {
    self.location = location
    self.shape = shape
    self.spread = spread
  }
}
