// A formula as JSON, for other programs.
import Graphs

extension Formula {
  /// Returns the graph as JSON: its nodes in order, and the numbers of its outputs.
  ///
  /// A node has `id`, `operation`, `inputs`, `shape` (numbers and `"batch"`), the `attributes` of
  /// its operation and the `name` of a symbol. A number that JSON has not is a string.
  ///
  /// - Parameter names: What each output is.
  /// - Returns: One object on several lines, without a line break at the end.
  /// - Complexity: O(nodes).
  public func json(naming names: [String] = []) -> String {
    let nodes = graph.nodes.map { node in
      let record = graph[node]
      let text = OperationText(record.operation, shape: record.shape)
      var fields = [
        "\"id\": \(node.index)",
        "\"operation\": \(quoted(text?.name ?? record.operation.label))",
        "\"inputs\": [\(record.inputs.map { "\($0.index)" }.joined(separator: ", "))]",
        "\"shape\": \(json(.extents(record.shape)))",
      ]
      if let attributes = text?.attributes, !attributes.isEmpty {
        fields.append("\"attributes\": [\(attributes.map(json).joined(separator: ", "))]")
      }
      if let name = record.name { fields.append("\"name\": \(quoted(name))") }
      return "    {\(fields.joined(separator: ", "))}"
    }
    let outputs = outputs.enumerated().map { index, node in
      let name = index < names.count ? ", \"name\": \(quoted(names[index]))" : ""
      return "    {\"id\": \(node.index)\(name)}"
    }
    return """
      {
        "nodes": [
      \(nodes.joined(separator: ",\n"))
        ],
        "outputs": [
      \(outputs.joined(separator: ",\n"))
        ]
      }
      """
  }

  private func json(_ attribute: Attribute) -> String {
    switch attribute {
    case .number(let value): json(value)
    case .list(let items):
      "["
        + items.map { item in
          switch item {
          case .batch: "\"batch\""
          case .number(let value): json(value)
          }
        }.joined(separator: ", ") + "]"
    }
  }

  private func json(_ value: Double) -> String {
    value.isFinite ? Number.text(value) : "\"\(value)\""
  }

  private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
