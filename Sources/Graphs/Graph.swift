public import Tensors

/// A computation graph: what to compute, without saying how.
///
/// Nodes are added at the end and never changed, so the order of nodes is an order of computation
/// and a graph has no cycles. A graph is a value: a copy can grow on its own.
///
/// ```swift
/// var graph = Graph()
/// let x = try graph.data("x", shape: [.batch, 3])
/// let W = try graph.parameter("W", shape: [2, 3])
/// let b = try graph.parameter("b", shape: [2])
/// let y = try graph.relu(graph.affine(x, weight: W, bias: b))
/// let gradients = try graph.gradient(of: graph.squaredNorm(y), withRespectTo: [W, b])
/// ```
public struct Graph: Sendable {
  /// One use of an operation; a handle that is valid in the graph that made it and in its copies.
  public struct Node: Hashable, Sendable {
    /// The place of the node in the order of computation.
    public let index: Int
    package init(index: Int) { self.index = index }
  }

  /// The record of one node.
  public struct Record: Hashable, Sendable {
    /// The operation of the node.
    public let operation: Operation
    /// The nodes it computes it from, all before it.
    public let inputs: [Node]
    /// The shape of its value.
    public let shape: SymbolicShape
    /// The name of a data or parameter node, or of the node in messages and pictures.
    public let name: String?
    /// The layer that the node belongs to.
    public let layer: String?

    package init(
      operation: Operation, inputs: [Node], shape: SymbolicShape, name: String?, layer: String?
    ) {
      self.operation = operation
      self.inputs = inputs
      self.shape = shape
      self.name = name
      self.layer = layer
    }
  }

  private(set) var records: [Record] = []
  private var leaves: [String: Node] = [:]
  /// For each node that holds class numbers, the label node that they come from.
  private var labelSources: [Node: Node] = [:]

  /// The most elements of the value of a node for one row: no machine holds them, and sums of such
  /// numbers can still be counted.
  package static let elementLimit = 1 << 48

  /// The layer that nodes belong to from now on.
  public var layer: String?

  /// Creates a graph without nodes.
  public init() {}

  /// All nodes in an order of computation.
  public var nodes: some RandomAccessCollection<Node> & Sendable {
    (0..<records.count).lazy.map { Node(index: $0) }
  }

  /// The number of nodes.
  public var count: Int { records.count }

  /// Returns the record of a node.
  public subscript(node: Node) -> Record { records[node.index] }

  /// The shape of the value of `node`.
  public func shape(of node: Node) -> SymbolicShape { records[node.index].shape }

  /// The data or parameter node of that name, if there is one.
  public func leaf(named name: String) -> Node? { leaves[name] }

  /// All parameters, in the order in which they were added.
  public var parameters: [Node] { nodes.filter { self[$0].operation == .parameter } }

  /// Adds rows of numbers that are given to every run.
  ///
  /// - Parameters:
  ///   - name: A name that no other leaf of the graph has.
  ///   - shape: The shape of the value, its first axis usually ``Extent/batch``.
  /// - Returns: The node of the rows.
  /// - Throws: ``GraphError/duplicateName(_:)``.
  public mutating func data(_ name: String, shape: SymbolicShape) throws(GraphError) -> Node {
    try leaf(.data, name, shape)
  }

  /// Adds class numbers that are given to every run, one per row.
  ///
  /// - Parameters:
  ///   - name: A name that no other leaf of the graph has.
  ///   - shape: The shape of the value, usually `[.batch]`.
  /// - Returns: The node of the class numbers.
  /// - Throws: ``GraphError/duplicateName(_:)``.
  public mutating func labels(_ name: String, shape: SymbolicShape = [.batch])
    throws(GraphError) -> Node
  {
    try leaf(.labels, name, shape)
  }

  /// Adds an array that training changes.
  ///
  /// - Parameters:
  ///   - name: A name that no other leaf of the graph has.
  ///   - shape: The shape of the value; it does not depend on the batch.
  /// - Returns: The node of the array.
  /// - Throws: ``GraphError/duplicateName(_:)``, ``GraphError/batchParameter(_:shape:)``.
  public mutating func parameter(_ name: String, shape: SymbolicShape) throws(GraphError) -> Node {
    guard shape.isFixed else { throw .batchParameter(name, shape: shape) }
    return try leaf(.parameter, name, shape)
  }

  /// Adds an array of known numbers.
  public mutating func constant(_ value: Tensor) -> Node {
    append(
      Record(
        operation: .constant(value.values), inputs: [], shape: SymbolicShape(value.shape),
        name: nil,
        layer: layer))
  }

  /// Adds an array whose elements are all `value`.
  public mutating func fill(_ value: Double, shape: SymbolicShape) -> Node {
    append(Record(operation: .fill(value), inputs: [], shape: shape, name: nil, layer: layer))
  }

  /// Adds one use of `operation`.
  ///
  /// - Parameters:
  ///   - operation: Any operation with inputs; leaves have functions of their own.
  ///   - inputs: As many nodes as the operation takes.
  ///   - name: A name for messages and pictures.
  /// - Returns: The node of its value.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the shapes do not go together;
  ///   ``GraphError/tooLarge(operation:found:limit:)``.
  /// - Complexity: O(axes).
  public mutating func add(
    _ operation: Operation, _ inputs: [Node], name: String? = nil
  ) throws(GraphError) -> Node {
    let rule = operation.rule
    guard inputs.count == rule.inputCount else {
      throw .operands(
        operation: rule.label, name: name ?? layer,
        fault: "found \(inputs.count) operands, expected \(rule.inputCount)")
    }
    if let fault = labelFault(operation, inputs) {
      throw .operands(operation: rule.label, name: name ?? layer, fault: fault)
    }
    let shape: SymbolicShape
    do {
      shape = try rule.shape(inputs.map { records[$0.index].shape })
    } catch {
      throw .operands(operation: rule.label, name: name ?? layer, fault: error.text)
    }
    try requireCountable(shape, rule.label, name ?? layer)
    return append(
      Record(operation: operation, inputs: inputs, shape: shape, name: name, layer: layer))
  }

  /// Throws for a shape of more elements than any machine holds.
  private func requireCountable(
    _ shape: SymbolicShape, _ operation: String, _ name: String?
  ) throws(GraphError) {
    guard shape.fixedCount > Graph.elementLimit else { return }
    throw .tooLarge(
      operation: operation + (name.map { " '\($0)'" } ?? ""), found: "\(shape) elements",
      limit: Graph.elementLimit)
  }

  /// Describes the fault if numbers stand for class numbers, or the other way round.
  func labelFault(_ operation: Operation, _ inputs: [Node]) -> String? {
    // The same elements in another shape are still what they were.
    if case .reshape = operation { return nil }
    for (index, input) in inputs.enumerated() {
      let holdsLabels = labels(behind: input) != nil
      if holdsLabels != operation.rule.takesLabels(operand: index) {
        return "operand \(index + 1) holds "
          + (holdsLabels ? "class numbers, expected numbers" : "numbers, expected class numbers")
      }
    }
    return nil
  }

  /// The label node whose class numbers `node` holds, perhaps in another shape.
  package func labels(behind node: Node) -> Node? { labelSources[node] }

  private mutating func leaf(
    _ operation: Operation, _ name: String, _ shape: SymbolicShape
  ) throws(GraphError) -> Node {
    guard leaves[name] == nil else { throw .duplicateName(name) }
    try requireCountable(shape, operation.rule.label, name)
    return append(
      Record(operation: operation, inputs: [], shape: shape, name: name, layer: layer))
  }

  /// Adds a record that is known to be right; ``verify()`` tells whether it was.
  package mutating func append(_ record: Record) -> Node {
    let node = Node(index: records.count)
    records.append(record)
    switch record.operation {
    case .data, .labels, .parameter: if let name = record.name { leaves[name] = node }
    default: break
    }
    switch record.operation {
    case .labels: labelSources[node] = node
    case .reshape: labelSources[node] = labelSources[record.inputs[0]]
    default: break
    }
    return node
  }
}
