// Text that tells models made in Swift apart, as configurations do for models that are written.
import Graphs
import Tensors

extension Layer {
  /// The layer as text: its type, all stored properties of its kind, and its place in the model.
  ///
  /// A run of a model made in Swift records it, and goes on only with a model of the same text.
  public var record: String {
    var text: String
    switch content {
    case .kind(let kind): text = "\(configurationName): \(typedRecord(of: kind))"
    case .block(let times, let layers):
      text = "repeat: \(times) × [\(layers.map(\.record).joined(separator: ", "))]"
    }
    if let name { text += ", name: \(name)" }
    if !inputs.isEmpty { text += ", from: \(inputs)" }
    if let sharedLayer { text += ", share: \(sharedLayer)" }
    if learningRateFactor != 1 { text += ", learning_rate: \(learningRateFactor)" }
    if isFrozen { text += ", frozen" }
    return text
  }
}

extension Loss {
  /// The loss as text: its type and all stored properties of its kind.
  public var record: String { "\(configurationName): \(typedRecord(of: kind))" }
}

extension Network {
  /// The graph of training as text, one line per node: the operations that layers and loss became.
  ///
  /// Unlike the records of layers it changes with the code of a layer, even where its properties do not.
  ///
  /// - Complexity: O(nodes + elements of constants).
  public var graphRecord: String {
    graph.nodes.map { node in
      let record = graph[node]
      return "\(record.name ?? "") \(recordText(of: record.operation)) "
        + "\(record.inputs.map(\.index)) \(record.shape)\n"
    }.joined()
  }
}

/// Returns the type of a value with its module, and the value.
///
/// Left out between the two are enclosing types: those of private types hold addresses.
private func typedRecord(of value: Any) -> String {
  let path = String(reflecting: type(of: value)).split(separator: ".")
  return "\(path.first ?? "").\(path.last ?? "") \(recordText(of: value))"
}

/// Returns all stored properties of a value as text, however it describes itself.
private func recordText(of value: Any) -> String {
  let mirror = Mirror(reflecting: value)
  func fields(_ children: Mirror.Children) -> String {
    children.map { child in
      let text = recordText(of: child.value)
      // The elements of unlabelled tuples are called .0, .1.
      guard let label = child.label, !label.hasPrefix(".") else { return text }
      return "\(label): \(text)"
    }.joined(separator: ", ")
  }
  switch mirror.displayStyle {
  case .struct where !mirror.children.isEmpty, .class: return "{\(fields(mirror.children))}"
  case .tuple: return "(\(fields(mirror.children)))"
  case .collection: return "[\(fields(mirror.children))]"
  case .set, .dictionary:
    return "[\(mirror.children.map { recordText(of: $0.value) }.sorted().joined(separator: ", "))]"
  case .optional: return mirror.children.first.map { recordText(of: $0.value) } ?? "nil"
  case .enum:
    guard let payload = mirror.children.first, let name = payload.label else { break }
    let text = recordText(of: payload.value)
    return "\(name)\(text.hasPrefix("(") ? text : "(\(text))")"
  default: break
  }
  return value is String ? String(reflecting: value) : String(describing: value)
}
