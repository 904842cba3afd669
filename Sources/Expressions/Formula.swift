public import Graphs
public import Tensors

/// A mathematical expression as a computation graph.
///
/// Written for one row of the batch, as in a textbook, and evaluated for all rows.
///
/// ```swift
/// let loss = try Formula(
///   "‖W*x + b − y‖^2",
///   Declarations(shapes: ["x": [.batch, 3], "y": [.batch, 2], "W": [2, 3], "b": [2]]))
/// let gradient = try loss.gradient(withRespectTo: ["W", "b"])
/// let values = try gradient.evaluate(with: values)
/// print(gradient.text())
/// ```
///
/// Two formulas that write the same computation have identical graphs, and the text of a formula is
/// read as the same formula.
public struct Formula: Sendable {
  /// The nodes that the outputs depend on, in the order of ``Graphs/Graph/canonical(keeping:)``.
  public let graph: Graph
  /// The nodes of the values, one per line that is no binding.
  public let outputs: [Graph.Node]

  /// Reads an expression of one or more lines.
  ///
  /// - Parameters:
  ///   - text: The expression; see the documentation of this module for what it may hold.
  ///   - declarations: Shapes, and which symbols are parameters.
  /// - Throws: ``ExpressionError``.
  /// - Complexity: O(characters + nodes), without recursion.
  public init(
    _ text: String, _ declarations: Declarations = Declarations()
  ) throws(ExpressionError) {
    let source = SourceText(text)
    try self.init(code: parse(source), declarations) {
      source.error($0.message, details: $0.details, at: $1)
    }
    let names = Set(graph.nodes.compactMap { graph[$0].name })
    let unknown = Set(declarations.shapes.keys).union(declarations.parameters ?? [])
      .subtracting(names)
    guard let name = unknown.min() else { return }
    throw ExpressionError(
      "'\(name)' is declared, but the expression has "
        + (names.isEmpty ? "no names" : "only \(names.sorted().joined(separator: " "))"))
  }

  init(
    code: [Instruction], _ declarations: Declarations,
    error: (Fault, Int) -> ExpressionError
  ) throws(ExpressionError) {
    var builder = Builder(code, declarations)
    try builder.run(code, error: error)
    self.init(of: builder.outputs, in: builder.graph)
  }

  /// Takes some nodes of a graph, whatever it was made for.
  ///
  /// - Parameters:
  ///   - outputs: The nodes whose values are wanted.
  ///   - graph: Their graph.
  public init(of outputs: [Graph.Node], in graph: Graph) {
    (self.graph, self.outputs) = graph.canonical(keeping: outputs)
  }

  /// The names of the parameters, in the order in which they are first used.
  public var parameters: [String] { graph.parameters.compactMap { graph[$0].name } }

  /// Returns the values of the outputs in double precision.
  ///
  /// - Parameters:
  ///   - values: A value for each symbol, by name.
  ///   - batch: The number of rows; without it, what the values agree on.
  /// - Returns: One tensor per output.
  /// - Throws: `GraphError` if a value is missing or has another shape, or a label is no class.
  public func evaluate(
    with values: [String: Tensor], batch: Int? = nil
  ) throws(GraphError) -> [Tensor] {
    var spelled = values
    for (name, value) in values where spelled[Names.canonical(name)] == nil {
      spelled[Names.canonical(name)] = value
    }
    return try graph.evaluate(outputs, with: spelled, batch: batch)
  }

  /// Returns the gradient of the sum of the first output's elements.
  ///
  /// - Parameter names: The symbols to differentiate with respect to; nil for all parameters.
  /// - Returns: A formula with one output per name, of the shape of that symbol.
  /// - Throws: `GraphError/missingValue(_:)` for a name that the formula does not have.
  public func gradient(
    withRespectTo names: [String]? = nil
  ) throws(GraphError) -> Formula {
    let both = try withGradient(withRespectTo: names)
    return Formula(of: Array(both.outputs.dropFirst()), in: both.graph)
  }

  /// Returns the first output with the gradient of the sum of its elements.
  ///
  /// In the graph of the result everything up to the first output belongs to it, the rest to the
  /// gradient.
  ///
  /// - Parameter names: The symbols to differentiate with respect to; nil for all parameters.
  /// - Returns: A formula whose outputs are the first output and one gradient per name.
  /// - Throws: `GraphError/missingValue(_:)` for a name that the formula does not have.
  public func withGradient(
    withRespectTo names: [String]? = nil
  ) throws(GraphError) -> Formula {
    var differentiated = graph
    var targets: [Graph.Node] = []
    for name in names ?? parameters {
      guard let leaf = graph.leaf(named: name) ?? graph.leaf(named: Names.canonical(name)) else {
        throw .missingValue(name)
      }
      targets.append(leaf)
    }
    let gradients = try differentiated.gradient(of: outputs[0], withRespectTo: targets)
    let (folded, moved) = differentiated.folded(
      from: graph.count, keeping: [outputs[0]] + gradients)
    let (simple, kept) = folded.simplified(keeping: moved)
    return Formula(of: kept, in: simple)
  }

  /// Returns true if both are the same computation of the same symbols, bit for bit.
  ///
  /// - Complexity: O(nodes).
  public func isIdentical(to other: Formula) -> Bool {
    outputs == other.outputs && graph.isIdentical(to: other.graph)
  }
}
