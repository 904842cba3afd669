// The arrays that a network carries from step to step besides its parameters.
public import Graphs
public import Tensors

extension Network {
  /// An array that is not learned but follows a measured statistic, such as a running average.
  ///
  /// In a graph it is a parameter node that nothing is differentiated by. In flat vectors the states
  /// follow the parameters; in the vector of a microbatch's gradient the place of a state holds its
  /// statistic times the number of rows, which is summed as gradients are.
  public struct State: Hashable, Sendable {
    /// Its path, such as `batch_norm1/mean`.
    public let name: String
    /// Its shape.
    public let shape: Shape
    /// Its initial values.
    public let initializer: Initializer
    /// The weight m of a step: `s ← (1 − m) · s + m · (sum of statistics / rows)`; 0 for a state that never changes.
    public let momentum: Double
    /// The statistic it follows, times the rows, in the graph of training; nil for a state that never changes.
    public internal(set) var statistic: Graph.Node?
  }

  /// A layer that takes means and variances over rows.
  public struct RowNeed: Hashable, Sendable {
    /// Its name.
    public let layer: String
    /// The rows it takes together.
    public let statistics: Layer.BatchNormalization.Statistics
    /// The fewest rows whose channels have a variance: 2 where a channel has one value in a row.
    public let leastRows: Int
  }

  /// The nodes that a step sums over its microbatches: gradients, and statistics of states, each by name.
  public var summed: [(name: String, node: Graph.Node)] {
    zip(trainableParameters, gradients).map { ($0.name, $1) }
      + states.compactMap { state in state.statistic.map { (state.name, $0) } }
  }

  /// The layout of flat vectors: the parameters, then the states.
  public var layout: FlatLayout {
    FlatLayout(parameters.map { ($0.name, $0.shape) } + states.map { ($0.name, $0.shape) })
  }

  /// The part of ``layout`` with the parameters.
  public var parameterLayout: FlatLayout { layout[..<parameters.count] }

  /// The part of ``layout`` with the states.
  public var stateLayout: FlatLayout { layout[parameters.count...] }
}
