// A diagram in the language of Mermaid, which many wikis draw.

extension Diagram {
  /// The diagram as the text of a Mermaid flowchart.
  func mermaid(_ background: Background) -> String {
    let palette = Palette(background)
    var lines = ["flowchart \(direction == .down ? "TD" : "LR")"]
    for (position, group) in groups.enumerated() {
      let members = boxes.indices.filter { boxes[$0].group == position }
      guard !members.isEmpty else { continue }
      let name = escapedMermaid(visible(group))
      lines.append("  subgraph g\(position)[\"\(name)\"]")
      for member in members { lines.append("    " + mermaid(member)) }
      lines.append("  end")
    }
    for position in boxes.indices where boxes[position].group == nil {
      lines.append("  " + mermaid(position))
    }
    for arrow in arrows {
      let line =
        switch (arrow.isBackward, arrow.isInverse) {
        case (true, false): "-.->"
        case (true, true): "-.-x"
        case (false, false): "-->"
        case (false, true): "--x"
        }
      let label = arrow.label.length > 0 ? "|\"\(escapedMermaid(arrow.label.plain))\"|" : ""
      lines.append("  n\(arrow.from) \(line)\(label) n\(arrow.to)")
    }
    for position in boxes.indices where boxes[position].isResult {
      lines.append("  style n\(position) stroke-width:4px")
    }
    let classes = [
      ("data", palette.data, ""), ("parameter", palette.parameter, ""),
      ("constant", palette.constant, ""), ("operation", palette.operation, ""),
      ("gradient", palette.gradient, ",stroke-dasharray:4 3"),
    ]
    for (name, paint, more) in classes {
      lines.append(
        "  classDef \(name) fill:\(paint.fill),stroke:\(paint.stroke),color:\(palette.ink)\(more)")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func mermaid(_ position: Int) -> String {
    let box = boxes[position]
    let text = ([box.title] + box.captions).map { escapedMermaid($0.plain) }
      .joined(separator: "<br/>")
    let (open, close) =
      switch box.role {
      case .data: ("[", "]")
      case .parameter: ("([", "])")
      case .constant: ("[/", "/]")
      case .operation: box.isSymbol ? ("((", "))") : ("(", ")")
      }
    let name =
      switch box.role {
      case _ where box.isBackward: "gradient"
      case .data: "data"
      case .parameter: "parameter"
      case .constant: "constant"
      case .operation: "operation"
      }
    return "n\(position)\(open)\"\(text)\"\(close):::\(name)"
  }

  /// Characters that end a label or begin markup, as Mermaid's entities.
  private func escapedMermaid(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "<", ">", "&", "#", "`", "\\", "|", "*", "_", "[", "]", "{", "}":
        result += "#\(scalar.value);"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
