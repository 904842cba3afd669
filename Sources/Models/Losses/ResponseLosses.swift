// Losses of the error `e = prediction − response`.
public import Configuration
public import Graphs

/// The mean of `e²`.
public struct MeanSquaredError: LossKind {
  /// Describes the loss.
  public init() {}

  /// The name in configurations.
  public var configurationName: String { "mean_squared_error" }

  /// Adds the mean square of each row.
  public func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    RowLosses(try graph.meanSquaredError(outputs, target: targets))
  }
}

/// The sum of `e²`, ‖·‖² per row.
public struct SquaredNorm: LossKind {
  /// Describes the loss.
  public init() {}

  /// The name in configurations.
  public var configurationName: String { "squared_norm" }

  /// Adds the squared norm of each row.
  public func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    RowLosses(try graph.squaredNorm(graph.add(.subtract, [outputs, targets])))
  }
}

/// The mean of `|e|`.
public struct MeanAbsoluteError: LossKind {
  /// Describes the loss.
  public init() {}

  /// The name in configurations.
  public var configurationName: String { "mean_absolute_error" }

  /// Adds the mean magnitude of each row.
  public func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    let error = try graph.add(.abs, [graph.add(.subtract, [outputs, targets])])
    return RowLosses(try graph.add(.mean(axes: [1]), [error]))
  }
}

/// The mean of `e²/2` where `|e| < δ`, else `δ · (|e| − δ/2)`.
public struct Huber: LossKind {
  /// The error from where the loss grows linearly.
  public let delta: Double

  /// Describes the loss.
  public init(delta: Double = 1) { self.delta = delta }

  /// The name in configurations.
  public var configurationName: String { "huber" }

  /// Adds the loss of each row: with `q = min(|e|, δ)` both branches are `q²/2 + δ · (|e| − q)`.
  public func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    let error = try graph.add(.abs, [graph.add(.subtract, [outputs, targets])])
    let limit = graph.fill(delta, shape: graph.shape(of: error))
    let beyond = try graph.relu(graph.add(.subtract, [error, limit]))
    let within = try graph.add(.subtract, [error, beyond])
    let square = try graph.scale(graph.add(.square, [within]), by: 0.5)
    let linear = delta == 1 ? beyond : try graph.scale(beyond, by: delta)
    return RowLosses(
      try graph.add(.mean(axes: [1]), [graph.add(.add, [square, linear])]))
  }
}

extension Loss {
  /// The mean of `e²`.
  public static let meanSquaredError = Loss(MeanSquaredError())
  /// The sum of `e²`.
  public static let squaredNorm = Loss(SquaredNorm())
  /// The mean of `|e|`.
  public static let meanAbsoluteError = Loss(MeanAbsoluteError())

  /// Returns the loss that grows linearly from errors of `delta`.
  public static func huber(delta: Double) -> Loss { Loss(Huber(delta: delta)) }
}

extension MeanSquaredError: ConfigurableLossKind {
  /// The name alone.
  public static var alternative: Alternative<any LossKind> {
    Alternative("mean_squared_error", meaning: "mean of e², e = prediction − response") {
      (_) throws(ConfigurationError) in MeanSquaredError()
    }
  }
}

extension SquaredNorm: ConfigurableLossKind {
  /// The name alone.
  public static var alternative: Alternative<any LossKind> {
    Alternative("squared_norm", meaning: "sum of e²") {
      (_) throws(ConfigurationError) in SquaredNorm()
    }
  }
}

extension MeanAbsoluteError: ConfigurableLossKind {
  /// The name alone.
  public static var alternative: Alternative<any LossKind> {
    Alternative("mean_absolute_error", meaning: "mean of |e|") {
      (_) throws(ConfigurationError) in MeanAbsoluteError()
    }
  }
}

extension Huber: ConfigurableLossKind {
  /// The keys of `huber`.
  public static var alternative: Alternative<any LossKind> {
    Alternative(
      "huber", primary: "delta",
      meaning: "mean of e²/2 where |e| < delta, else delta·(|e| − delta/2)"
    ) { (section) throws(ConfigurationError) in
      Huber(
        delta: try section.number(
          "delta", default: 1, in: .positive, meaning: "error from where the loss grows linearly"))
    }
  }
}
