// One step of a schedule: what is computed, of what, and where it goes.
public import Graphs

/// A step that a backend computes as a whole.
public struct Step: Hashable, Sendable {
  /// A matrix product or convolution, or one of the products that a convolution is differentiated into.
  public struct Product: Hashable, Sendable {
    /// The product.
    public let operation: Graph.Operation
    /// True if the third operand, a bias, is added to every row.
    public let hasBias: Bool
    /// The activation that is applied last; nil for none.
    public let activation: Graph.Operation?
    /// The precision that operands are rounded to first.
    public let precision: OperandPrecision
  }

  /// The work of a step, with its operands and results in order.
  public enum Action: Hashable, Sendable {
    /// An operation of a graph: its operands, then the statistics if it is one of a normalization. The
    /// variance has a second result, statistics that are forgotten.
    case operation(Graph.Operation)
    /// Two factors and perhaps a bias.
    case product(Product)
    /// Elementwise operations that are computed together.
    case chain(Chain)
    /// From images, the maxima of windows and the indices of these; `throughRelu` if the images come from a
    /// relu whose gradient is taken along, so that maxima which are not above 0 have no index.
    case maxPoolWithIndices(Pooling, throughRelu: Bool)
    /// From a cotangent of the maxima and the indices, the cotangent of the images.
    case maxPoolGradientFromIndices(Pooling)
    /// From logits, labels and a cotangent of the losses, the losses and the cotangent of the logits.
    case crossEntropyWithGradient
    /// From a value, a part of its statistics.
    case statistics(StatisticsPart, Normalization)
    /// The same elements elsewhere.
    case copy
  }

  /// The description of the work, for people.
  public let label: String
  /// The work.
  public let action: Action
  /// The values that it reads.
  public let operands: [Value]
  /// The values that it writes.
  public let results: [Value]
  /// The dependence of its results on rows.
  public let rows: RowDependence
  /// The rows that it is computed for at once.
  public let scope: Scope

  /// Returns the same step with its one result elsewhere.
  package func replacingResult(_ result: Value) -> Step {
    Step(
      label: label, action: action, operands: operands, results: [result], rows: rows,
      scope: scope)
  }

  /// The rows that a step is computed for at once.
  public enum Scope: Hashable, Sendable {
    /// All rows of the group.
    case group
    /// The rows of each microbatch by themselves. What the step puts into the flat gradient is added over
    /// microbatches, in the order of the group's sums.
    case microbatch
  }
}

/// The dependence of a step's results on the rows of its operands.
public enum RowDependence: String, Hashable, Sendable {
  /// Row i of each result depends on row i of the operands that have rows, and on operands without.
  case rowByRow = "row by row"
  /// A sum of terms, each of one row.
  case sumOverRows = "sum over rows"
  /// Anything else: results depend on all rows of a microbatch, or on none.
  case byMicrobatch = "by microbatch"
}

/// Elementwise operations that one step computes, block after block.
public struct Chain: Hashable, Sendable {
  /// The place of an operand or a result.
  public enum Place: Hashable, Sendable {
    /// A value with as many elements as the result.
    case whole(Value)
    /// An operand of fewer elements, repeated, with a slot that it can be written out in.
    case repeated(Value, slot: Int)
    /// A slot for what nothing needs after the step.
    case slot(Int)
  }

  /// One operation, which names operands and result by indices of ``Chain/places``.
  public struct Link: Hashable, Sendable {
    /// The operation.
    public let operation: Graph.Operation
    /// The operands.
    public let operands: [Int]
    /// The result.
    public let result: Int
  }

  /// The operations, in order.
  public let links: [Link]
  /// The places of operands and results.
  public let places: [Place]
  /// The elements of a block, and of a slot.
  public let blockLength: Int
  /// The slots, one after another.
  public let scratch: Location
  /// The number of slots.
  public let slotCount: Int

  /// The same with other values in its places.
  func replacingPlaces(_ replace: (Value) -> Value) -> Chain {
    let places = places.map { place -> Place in
      switch place {
      case .whole(let value): .whole(replace(value))
      case .repeated(let value, let slot): .repeated(replace(value), slot: slot)
      case .slot: place
      }
    }
    return Chain(
      links: links, places: places, blockLength: blockLength, scratch: scratch,
      slotCount: slotCount)
  }
}

/// The parts that the statistics of a value are taken in.
public enum StatisticsPart: String, Hashable, Sendable {
  /// Means, variances and deviations at once.
  case all = "statistics"
  /// The sums of each group, to be summed over microbatches.
  case sums
  /// From those, the means, and the sums of squared differences from them, to be summed over microbatches.
  case squares
  /// From those, variances and deviations.
  case deviations
}

/// The layout of the statistics of a normalized value, each part at the start of a cache line.
public struct StatisticsLayout: Hashable, Sendable {
  /// The number of means.
  public let groupCount: Int

  /// Lays out the statistics of so many groups.
  public init(groupCount: Int) { self.groupCount = groupCount }

  private var stride: Int { MemoryPlan.rounded(max(groupCount, 1)) }

  /// The means.
  public var means: Int { 0 }
  /// The variances.
  public var variances: Int { stride }
  /// `1 / √(σ² + ε)`.
  public var inverseDeviations: Int { 2 * stride }
  /// One over the number of elements that share a mean.
  public var share: Int { 3 * stride }
  /// The sums of all groups and, in one more element, the number of rows: what is summed over microbatches.
  public var sums: Int { 3 * stride + MemoryPlan.alignment }
  /// All elements.
  public var count: Int { sums + groupCount + 1 }
}
