public import Graphs

/// The precision of the operands of products; sums and everything else are `Float`.
public enum OperandPrecision: Hashable, Sendable {
  /// Operands as they are.
  case float
  /// Operands rounded to bfloat16, to nearest, ties to even.
  case bfloat16
}

/// The answers to all that a scheduler asks about a backend.
public struct BackendPreferences: Hashable, Sendable {
  /// The chains of elementwise operations that are computed in one step.
  ///
  /// Such a step goes over blocks of elements; values that nothing needs afterwards lie in slots as long as a
  /// block.
  public struct Chains: Hashable, Sendable {
    /// The most elements of a block, unless rows are longer.
    public var blockLength: Int
    /// The most elements of an operand that is repeated along the result.
    public var longestRow: Int

    /// Creates the limits of chains.
    public init(blockLength: Int, longestRow: Int) {
      self.blockLength = blockLength
      self.longestRow = longestRow
    }

    /// Returns the elements of a block whose operands are repeated after `period` elements: whole rows.
    public func blockLength(period: Int) -> Int { max(blockLength / period, 1) * period }
  }

  /// The products that are worth rounding operands for.
  public struct RoundedProducts: Hashable, Sendable {
    /// The fewest multiply-adds of a matrix product for one row: how many rows there are decides nothing.
    public var leastMultiplyAdds: Int
    /// The fewest columns of a matrix product.
    public var leastColumns: Int

    /// Creates the limits.
    public init(leastMultiplyAdds: Int, leastColumns: Int) {
      self.leastMultiplyAdds = leastMultiplyAdds
      self.leastColumns = leastColumns
    }
  }

  /// True if images have their channels last wherever windows slide over them.
  public var putsChannelsLast: Bool
  /// The activations that a product or convolution applies to its sums, after a bias; nil where it takes not
  /// even a bias.
  public var fusedActivations: Set<Graph.Operation>?
  /// The most elements of a pooling's window for which the index of the maximum is saved.
  public var largestIndexedWindow: Int
  /// The channels of saved indices are rounded up to a multiple of this.
  public var indexAlignment: Int
  /// The chains of elementwise operations; nil where each operation is a step.
  public var chains: Chains?
  /// True if a cross-entropy and its gradient are one step.
  public var computesLossesWithGradients: Bool
  /// The products of operands in bfloat16; nil where operands stay as they are.
  public var roundedProducts: RoundedProducts?

  /// The precisions of operands for which a row of a matrix product has the same bits however many rows are
  /// computed at once.
  public var independentProducts: Set<OperandPrecision>
  /// The same of convolutions and their input gradients.
  public var independentConvolutions: Set<OperandPrecision>

  /// Creates the preferences of a backend that computes node by node, images as they are.
  public init() {
    putsChannelsLast = false
    fusedActivations = nil
    largestIndexedWindow = 0
    indexAlignment = 1
    chains = nil
    computesLossesWithGradients = false
    roundedProducts = nil
    independentProducts = [.float]
    independentConvolutions = [.float]
  }

  /// The same, but node by node.
  package var withoutFusion: BackendPreferences {
    var plain = BackendPreferences()
    plain.putsChannelsLast = putsChannelsLast
    plain.roundedProducts = roundedProducts
    plain.independentProducts = independentProducts
    plain.independentConvolutions = independentConvolutions
    return plain
  }
}
