public import Configuration
public import Graphs
import Tensors

/// The computation of a loss: its name, and the nodes of the losses of all rows.
///
/// A loss of your own is a value type that conforms to this protocol; ``Loss`` holds it in a model. Here is
/// the mean of `log cosh(prediction − response)`, written as `|e| + log(1 + e^(−2|e|)) − log 2`:
///
/// ```swift
/// struct LogCosh: LossKind {
///   var configurationName: String { "log_cosh" }
///
///   func losses(
///     of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
///   ) throws -> RowLosses {
///     let error = try graph.add(.abs, [graph.add(.subtract, [outputs, targets])])
///     let tail = try graph.add(.softplus, [graph.scale(error, by: -2)])
///     let sum = try graph.add(.mean(axes: [1]), [graph.add(.add, [error, tail])])
///     let log2 = graph.fill(0.6931471805599453, shape: graph.shape(of: sum))
///     return RowLosses(try graph.add(.subtract, [sum, log2]))
///   }
/// }
/// ```
///
/// Everything that decides the nodes is a stored property, since ``Loss/record`` tells losses apart by them.
public protocol LossKind: Hashable, Sendable {
  /// The name of the loss in configurations and messages.
  var configurationName: String { get }

  /// Indicates that targets are class labels; otherwise they are responses, as many as outputs.
  var takesLabels: Bool { get }

  /// The activation that the loss applies to the outputs itself; nil where outputs are predictions as they
  /// are.
  var outputActivation: OutputActivation? { get }

  /// Adds the loss of each row.
  ///
  /// - Parameters:
  ///   - outputs: The value of the last layer, `[batch, outputs]`.
  ///   - targets: The labels, `[batch]`, or the responses, `[batch, outputs]`.
  ///   - graph: The graph that gets the nodes.
  /// - Returns: The losses, `[batch]`, and the weights of the rows if they are not all 1.
  /// - Throws: ``ModelError/outputs(loss:found:expected:)`` for outputs that the loss cannot take.
  func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses
}

/// An activation that turns the outputs of a model, logits, into probabilities.
public enum OutputActivation: String, Hashable, Sendable {
  /// Outputs are logits of one probability each, and responses are from 0 to 1.
  case sigmoid
  /// Outputs are logits of the probabilities of all classes.
  case softmax
}

/// The losses of the rows of a batch, and their weights.
public struct RowLosses: Hashable, Sendable {
  /// The loss of each row, weighted, shape `[batch]`.
  public let losses: Graph.Node
  /// The weight of each row, shape `[batch]`; nil where all weigh 1.
  public let weights: Graph.Node?

  /// Creates losses of rows.
  public init(_ losses: Graph.Node, weights: Graph.Node? = nil) {
    self.losses = losses
    self.weights = weights
  }
}

extension LossKind {
  /// False: targets are responses.
  public var takesLabels: Bool { false }

  /// None: outputs are predictions as they are.
  public var outputActivation: OutputActivation? { nil }
}

/// A kind of loss that configurations can name.
///
/// ```swift
/// extension LogCosh: ConfigurableLossKind {
///   static var alternative: Alternative<any LossKind> {
///     Alternative("log_cosh", meaning: "mean of log cosh(e)") { _ in LogCosh() }
///   }
/// }
///
/// var catalog = ModelCatalog.builtIn
/// catalog.losses.append(LogCosh.self)
/// ```
public protocol ConfigurableLossKind: LossKind {
  /// The name that configurations write, with its meaning and its keys.
  static var alternative: Alternative<any LossKind> { get }
}

extension LayerBuilder {
  /// Adds the targets and the loss of each row.
  ///
  /// - Throws: ``ModelError/outputs(loss:found:expected:)`` if outputs, loss and targets do not go together.
  mutating func losses(
    _ kind: any LossKind, of outputs: Graph.Node, targets: Network.Targets
  ) throws -> RowLosses {
    let shape = graph.shape(of: outputs)
    func fault(_ found: String, _ expected: String) -> ModelError {
      .outputs(loss: kind.configurationName, found: found, expected: expected)
    }
    let target: Graph.Node
    switch (kind.takesLabels, targets) {
    case (true, .labels):
      guard shape.axisCount == 2 else {
        throw fault("outputs of shape \(shape)", "[batch, classes]")
      }
      target = try graph.labels(Network.targetsName)
    case (false, .responses(let count)):
      guard shape == [.batch, .fixed(count)] else {
        throw fault("outputs of shape \(shape)", "[batch, \(count)] as the responses have")
      }
      target = try graph.data(Network.targetsName, shape: shape)
    case (true, .responses): throw fault("responses in the data", "class labels")
    case (false, .labels): throw fault("class labels in the data", "responses")
    }
    let rows = try kind.losses(of: outputs, targets: target, in: &graph)
    for node in [rows.losses, rows.weights].compactMap({ $0 })
    where graph.shape(of: node) != [.batch] {
      throw fault("losses or weights of shape \(graph.shape(of: node))", "[batch]")
    }
    return rows
  }
}
