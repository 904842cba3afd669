// A diagram in the language of Graphviz.

extension Diagram {
  /// The diagram as the text of a `dot` file.
  func dot(_ background: Background) -> String {
    let palette = Palette(background)
    let font = "Helvetica,Arial,Liberation Sans,sans-serif"
    var lines = ["digraph nndist {"]
    lines.append(
      "  graph [rankdir=\(direction == .down ? "TB" : "LR"), bgcolor=\"\(palette.background)\", "
        + "fontname=\"\(font)\", fontsize=11, fontcolor=\"\(palette.faint)\", pad=0.25, margin=0, "
        + "nodesep=\(direction == .down ? "0.35" : "0.14"), "
        + "ranksep=\(direction == .down ? "0.38" : "0.6"), "
        + (direction == .down ? "" : "ordering=in, ")
        // Enough attempts at the best places, and a few seconds at most, for large pictures.
        + (boxes.count > 200 ? "nslimit=4, nslimit1=4, " : "")
        + "labelloc=b, label=<\(legend(palette))>];")
    lines.append(
      "  node [fontname=\"\(font)\", fontsize=14, fontcolor=\"\(palette.ink)\", style=filled, "
        + "penwidth=1.4, margin=\"0.14,0.07\", height=0.3];")
    lines.append(
      "  edge [fontname=\"\(font)\", fontsize=11, fontcolor=\"\(palette.faint)\", "
        + "color=\"\(palette.line)\", penwidth=1.1, arrowsize=0.65];")
    for (position, group) in groups.enumerated() {
      let members = boxes.indices.filter { boxes[$0].group == position }
      guard !members.isEmpty else { continue }
      let name = MathText(group, .bold)
      lines.append("  subgraph cluster_\(position) {")
      lines.append(
        "    graph [label=<\(name.html)>, labelloc=t, labeljust=l, margin=12, "
          + "style=\"rounded,filled\", "
          + "color=\"\(palette.groupEdge)\", fillcolor=\"\(palette.group)\"];")
      for member in members { lines.append("    " + dot(member, palette)) }
      lines.append("  }")
    }
    for position in boxes.indices where boxes[position].group == nil {
      lines.append("  " + dot(position, palette))
    }
    let goesOn = Set(arrows.map(\.from))
    for arrow in arrows {
      var attributes: [String] = []
      if arrow.label.length > 0 {
        attributes.append("label=<\u{2009}\(arrow.label.html)\u{2009}>")
      }
      if arrow.isBackward {
        attributes += ["style=dashed", "color=\"\(palette.gradient.stroke)\""]
      } else if boxes[arrow.from].role == .parameter {
        attributes.append("color=\"\(palette.parameter.stroke)\"")
      } else if boxes[arrow.from].role == .data {
        attributes.append("color=\"\(palette.data.stroke)\"")
      }
      if arrow.isInverse { attributes.append("arrowhead=odot") }
      // The ways forward and back are to be straight.
      if direction == .down, boxes[arrow.from].role == .operation,
        boxes[arrow.from].isBackward == boxes[arrow.to].isBackward,
        !arrow.isBackward || goesOn.contains(arrow.to)
      {
        attributes.append("weight=8")
      }
      let list = attributes.isEmpty ? "" : " [\(attributes.joined(separator: ", "))]"
      lines.append("  n\(arrow.from) -> n\(arrow.to)\(list);")
    }
    // A frame begins below what flows into it, or the two would have to stand side by side.
    for arrow in arrows where !arrow.isBackward {
      guard let group = boxes[arrow.to].group, boxes[arrow.from].group != group else { continue }
      for position in boxes.indices where boxes[position].group == group {
        guard boxes[position].role == .parameter else { continue }
        lines.append("  n\(arrow.from) -> n\(position) [style=invis, weight=3];")
      }
    }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  private func dot(_ position: Int, _ palette: Palette) -> String {
    let box = boxes[position]
    var label = box.title.html.isEmpty ? " " : box.title.html
    // Graphviz leaves lowered letters no room of their own.
    if label.contains("<SUB>") { label += "<BR/><FONT POINT-SIZE=\"4\"> </FONT>" }
    for caption in box.captions {
      label += "<BR/><FONT POINT-SIZE=\"11\" COLOR=\"\(palette.faint)\">\(caption.html)</FONT>"
    }
    let paint = palette.paint(box)
    var attributes = ["label=<\(label)>", "shape=\(shape(box))", "style=\"\(style(box))\""]
    attributes += ["fillcolor=\"\(paint.fill)\"", "color=\"\(paint.stroke)\""]
    if box.isResult { attributes.append("peripheries=2") }
    switch box.role {
    case _ where box.isReference:
      attributes += ["margin=\"0.05,0.02\"", "height=0.2", "width=0.2", "fontsize=11"]
    case .constant:
      attributes += ["margin=\"0.06,0.03\"", "height=0.2", "width=0.2", "penwidth=0.9"]
    case .parameter: attributes.append("margin=\"0.05,0.03\"")
    case .data, .operation: break
    }
    if box.isSymbol, box.captions.isEmpty {
      attributes += ["width=0.36", "height=0.36", "fixedsize=true"]
    }
    return "n\(position) [\(attributes.joined(separator: ", "))];"
  }

  private func shape(_ box: Box) -> String {
    switch box.role {
    case .data: "box"
    case .parameter: "ellipse"
    case .constant: "box"
    case .operation: box.isSymbol && box.captions.isEmpty ? "circle" : "box"
    }
  }

  private func style(_ box: Box) -> String {
    var words = ["filled"]
    if box.role == .operation, !box.isSymbol || !box.captions.isEmpty { words.append("rounded") }
    if box.isBackward { words.append(box.role == .constant ? "dotted" : "dashed") }
    if box.isReference || (box.role == .constant && !box.isBackward) { words.append("dotted") }
    return words.joined(separator: ",")
  }

  /// One line that explains the shapes in use.
  private func legend(_ palette: Palette) -> String {
    var entries: [(String, String, String)] = []
    if boxes.contains(where: { $0.role == .data }) {
      entries.append(("■", palette.data.stroke, "data"))
    }
    if boxes.contains(where: { $0.role == .parameter }) {
      entries.append(("●", palette.parameter.stroke, "parameter"))
    }
    if boxes.contains(where: { $0.role == .operation && !$0.isBackward }) {
      entries.append(("▢", palette.operation.stroke, "operation"))
    }
    if boxes.contains(where: \.isBackward) {
      entries.append(("┄", palette.gradient.stroke, "gradient"))
    }
    if boxes.contains(where: \.isResult) { entries.append(("▣", palette.ink, "result")) }
    if arrows.contains(where: \.isInverse) {
      entries.append(("⊸", palette.line, "subtracted or divisor"))
    }
    return " <BR/>"
      + entries.map { "<FONT COLOR=\"\($1)\">\($0)</FONT>\u{A0}\($2)" }.joined(
        separator: "\u{2003}\u{2002}")
  }
}

extension Palette {
  func paint(_ box: Diagram.Box) -> Paint {
    if box.isBackward { return gradient }
    return switch box.role {
    case .data: data
    case .parameter: parameter
    case .constant: constant
    case .operation: operation
    }
  }
}
