public import Graphs

/// Draws a graph in the language of Graphviz.
///
/// - Parameters:
///   - graph: The graph; nodes that no other node uses are its results.
///   - detail: The amount of detail; not ``Detail/network`` or ``Detail/summary``.
///   - background: The paper.
/// - Returns: The text of a `dot` file.
/// - Throws: ``DrawingError``.
/// - Complexity: O(nodes and operands drawn).
public func draw(
  _ graph: Graph, detail: Detail = .tensor, background: Background = .light
) throws(DrawingError) -> String {
  try DrawnGraph(graph).dot(detail: detail, background: background)
}

extension DrawnGraph {
  /// The picture in the language of Graphviz.
  ///
  /// - Parameters:
  ///   - detail: The amount of detail; not ``Detail/network`` or ``Detail/summary``.
  ///   - background: The paper.
  /// - Returns: The text of a `dot` file, without positions: Graphviz chooses them.
  /// - Throws: ``DrawingError/tooLarge(_:found:limit:)``, ``DrawingError/noForm(_:form:forms:)``.
  public func dot(
    detail: Detail, background: Background = .light
  ) throws(DrawingError) -> String {
    try diagram(detail, form: .dot).dot(background)
  }

  /// The picture in the language of Mermaid.
  ///
  /// - Parameters:
  ///   - detail: The amount of detail; not ``Detail/network`` or ``Detail/summary``.
  ///   - background: The paper.
  /// - Returns: The text of a flowchart.
  /// - Throws: ``DrawingError/tooLarge(_:found:limit:)``, ``DrawingError/noForm(_:form:forms:)``.
  public func mermaid(
    detail: Detail, background: Background = .light
  ) throws(DrawingError) -> String {
    try diagram(detail, form: .mermaid).mermaid(background)
  }

  /// The picture in characters.
  ///
  /// A chain is drawn as boxes below each other, anything else as a tree from the results to the
  /// leaves; `↑ (2)` points at a node that was drawn before.
  ///
  /// - Parameter detail: The amount of detail.
  /// - Returns: Lines of text.
  /// - Throws: ``DrawingError/tooLarge(_:found:limit:)``, ``DrawingError/notLayered(found:)``.
  public func text(detail: Detail) throws(DrawingError) -> String {
    switch detail {
    case .summary: summary + "\n"
    case .network: try NetworkColumns(self).text()
    case .scalar, .tensor, .operations, .layers: try diagram(detail, form: .text).text()
    }
  }

  /// Columns of circles joined by weights, as the text of an SVG file.
  ///
  /// If ``values`` holds a parameter, colour shows the sign of its weights and thickness their
  /// size beside the largest one drawn.
  ///
  /// - Parameter background: The paper.
  /// - Returns: The text of an SVG file.
  /// - Throws: ``DrawingError/notLayered(found:)`` if the graph is no chain of layers.
  public func networkSVG(background: Background = .light) throws(DrawingError) -> String {
    try NetworkPicture(self, background).svg()
  }

  /// The title of the graph, one line without a newline.
  public var summary: String {
    let selection = Selection(self)
    var counts: [Diagram.Role: Int] = [:]
    var elementCount = 0
    for node in selection.nodes {
      counts[Diagram.Role(graph[node].operation), default: 0] += 1
      if graph[node].operation == .parameter { elementCount += graph.shape(of: node).fixedCount }
    }
    func counted(_ count: Int, _ word: String) -> String {
      "\(countText(count)) \(word)\(count == 1 ? "" : "s")"
    }
    var parts: [String] = []
    if let network = try? NetworkColumns(self), network.columns.count <= 12 {
      var chain = network.columns.map { column in
        ([countText(column.count)] + column.functions).joined(separator: " ")
      }
      if let loss = network.loss { chain.append(loss.plain) }
      parts.append(chain.joined(separator: " → "))
    }
    parts.append(
      counted(elementCount, "parameter") + " in " + counted(counts[.parameter] ?? 0, "array"))
    parts.append(counted(counts[.operation] ?? 0, "operation"))
    let backward = selection.nodes.count { selection.isBackward[$0.index] }
    if backward > 0 { parts[parts.count - 1] += ", \(countText(backward)) of them backward" }
    return parts.joined(separator: "; ")
  }

  private func diagram(_ detail: Detail, form: PictureForm) throws(DrawingError) -> Diagram {
    switch detail {
    case .scalar: return try Diagram(scalars: self)
    case .tensor: return try Diagram(tensors: self, foldsParameters: false)
    case .operations: return try Diagram(tensors: self, foldsParameters: true)
    case .layers: return try Diagram(layers: self)
    case .network:
      throw .noForm(detail, form: form.rawValue, forms: ["svg", "png", "pdf", "text"])
    case .summary: throw .noForm(detail, form: form.rawValue, forms: ["text"])
    }
  }
}

/// The format of a picture.
public enum PictureForm: String, CaseIterable, Sendable {
  /// The language of Graphviz.
  case dot
  /// Lines and letters for browsers.
  case svg
  /// Points, two for each point of the paper.
  case png
  /// Lines and letters for printers.
  case pdf
  /// The language of Mermaid.
  case mermaid
  /// Characters.
  case text
}

extension DrawnGraph {
  /// The bytes of a picture file.
  ///
  /// Graphviz's `dot` lays out every level but ``Detail/network``, which `rsvg-convert` turns into
  /// PNG and PDF; both run as child processes and are searched for as the system searches programs.
  ///
  /// - Parameters:
  ///   - form: The format of the file.
  ///   - detail: The amount of detail.
  ///   - background: The paper.
  /// - Returns: The bytes.
  /// - Throws: ``DrawingError``; ``DrawingError/missingProgram(_:package:)`` if one is not there.
  public func picture(
    as form: PictureForm, detail: Detail, background: Background = .light
  ) throws(DrawingError) -> [UInt8] {
    switch (form, detail) {
    case (.text, _): return Array(try text(detail: detail).utf8)
    case (.dot, _): return Array(try dot(detail: detail, background: background).utf8)
    case (.mermaid, _): return Array(try mermaid(detail: detail, background: background).utf8)
    case (.svg, .network): return Array(try networkSVG(background: background).utf8)
    case (.png, .network), (.pdf, .network):
      let zoom = form == .png ? ["--zoom", "2"] : []
      return try run(
        "rsvg-convert", ["--format", form.rawValue] + zoom, package: "librsvg2-bin",
        input: Array(try networkSVG(background: background).utf8))
    case (.svg, _), (.png, _), (.pdf, _):
      let resolution = form == .png ? ["-Gdpi=144"] : []
      return try run(
        "dot", ["-T" + form.rawValue] + resolution, package: "graphviz",
        input: Array(try diagram(detail, form: form).dot(background).utf8))
    }
  }
}
