// A formula as a program of numbered assignments.
import Graphs

extension Formula {
  /// Returns the formula as a program: one numbered assignment per operation, in order.
  ///
  /// Every line uses an operation as it is, with the shape of the value in a remark behind it, so a
  /// program is an expression too and is read as the identical formula.
  ///
  /// - Parameters:
  ///   - forwardCount: The nodes that are the forward part; what follows is headed as backward.
  ///   - names: The name of each output, in a remark behind it.
  /// - Returns: The lines, without a line break at the end.
  /// - Complexity: O(nodes).
  public func program(forwardCount: Int? = nil, naming names: [String] = []) -> String {
    var writer = ProgramWriter(graph)
    for node in graph.nodes {
      if graph[node].name == nil, let forwardCount {
        if node.index < forwardCount { writer.head("forward") } else { writer.head("backward") }
      }
      writer.write(node)
    }
    for (index, output) in outputs.enumerated() {
      writer.write(output, as: index < names.count ? names[index] : nil)
    }
    return writer.text
  }
}

/// Collects the lines of a program.
private struct ProgramWriter {
  private let graph: Graph
  private let prefix: String
  private var names: [String] = []
  private var symbols: [String] = []
  private var lines: [(code: String, remark: String)] = []
  private var heading: String?
  private var count = 0

  init(_ graph: Graph) {
    self.graph = graph
    let symbols = graph.nodes.compactMap { graph[$0].name }
    var prefix = "v"
    // A symbol that looks like a number of ours keeps its name.
    while symbols.contains(where: { $0.hasPrefix(prefix) }) { prefix += "_" }
    self.prefix = prefix == "v" ? prefix : prefix + "n"
  }

  mutating func head(_ text: String) {
    guard heading != text else { return }
    heading = text
    lines.append(("# \(text)", ""))
  }

  mutating func write(_ node: Graph.Node) {
    let record = graph[node]
    if let name = record.name {
      let text = Notations.name(name, .plain)
      names.append(text)
      symbols.append("# \(record.operation.label) \(text) \(record.shape)")
      return
    }
    count += 1
    let name = "\(prefix)\(count)"
    names.append(name)
    lines.append(("\(name) = \(call(node))", "\(record.shape)"))
  }

  mutating func write(_ output: Graph.Node, as name: String?) {
    lines.append((names[output.index], name ?? ""))
  }

  private func call(_ node: Graph.Node) -> String {
    guard let text = OperationText(graph[node].operation, shape: graph.shape(of: node)) else {
      return ""
    }
    let arguments =
      graph[node].inputs.map { names[$0.index] } + text.attributes.map(\.text)
    return "\(graph.callName(text.name, of: node))(\(arguments.joined(separator: ", ")))"
  }

  var text: String {
    let width = min(40, lines.map(\.code.count).max() ?? 0)
    let body = lines.map { line in
      guard !line.remark.isEmpty else { return line.code }
      let padding = String(repeating: " ", count: max(0, width - line.code.count))
      return "\(line.code)\(padding)  # \(line.remark)"
    }
    return (symbols + body).joined(separator: "\n")
  }
}
