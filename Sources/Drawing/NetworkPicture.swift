// Columns of circles joined by weights, as SVG of our own.

/// The picture of the columns of a network.
struct NetworkPicture {
  /// A unit of a column, or the mark for those left out.
  enum Slot: Hashable {
    case unit(Int)
    case elided(Int)
  }

  private static let radius = 17.0
  private static let pitch = 46.0
  private static let font =
    "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

  private let network: NetworkColumns
  private let drawn: DrawnGraph
  private let palette: Palette
  private let slots: [[Slot]]
  private let height: Double
  private let top: Double

  init(_ drawn: DrawnGraph, _ background: Background) throws(DrawingError) {
    network = try NetworkColumns(drawn)
    guard network.columns.count <= 40 else {
      throw .tooLarge(.network, found: network.columns.count, limit: 40)
    }
    self.drawn = drawn
    palette = Palette(background)
    slots = network.columns.map { NetworkPicture.slots($0.count, most: 10, head: 4, tail: 3) }
    // Room for the names of weight matrices.
    top = network.links.allSatisfy { !$0.weightNames.isEmpty } ? 16 : 64
    let tallest = slots.map(NetworkPicture.extent).max() ?? 1
    height = max(tallest, 3) * NetworkPicture.pitch
  }

  /// The units that are drawn: all of a narrow column, the ends of a wide one.
  static func slots(_ count: Int, most: Int, head: Int, tail: Int) -> [Slot] {
    guard count > most else { return (0..<count).map(Slot.unit) }
    return (0..<head).map(Slot.unit) + [.elided(count - head - tail)]
      + (count - tail..<count).map(Slot.unit)
  }

  private static func extent(_ slots: [Slot]) -> Double {
    slots.reduce(0) { sum, slot in if case .elided = slot { sum + 1.5 } else { sum + 1 } }
  }

  /// The height of the middle of each slot of a column.
  private func heights(_ column: Int) -> [Double] {
    let pitch = NetworkPicture.pitch
    var y = top + (height - NetworkPicture.extent(slots[column]) * pitch) / 2
    return slots[column].map { slot in
      let extent = if case .elided = slot { 1.5 * pitch } else { pitch }
      defer { y += extent }
      return y + extent / 2
    }
  }

  private func x(_ column: Int) -> Double { 70 + Double(column) * spacing }

  /// Room for the fan of edges between tall columns.
  private var spacing: Double { min(max(150, height * 0.42), 210) }

  /// The picture as the text of an SVG file.
  func svg() -> String {
    let last = network.columns.count - 1
    let loss = network.loss.map { ($0, 26 + 7.6 * Double($0.length)) }
    // Whole points, or the last row of a PNG is half covered.
    let width = (x(last) + (loss.map { 92 + $0.1 + 30 } ?? 70)).rounded(.up)
    let hasValues = network.links.contains { drawn.values[$0.name] != nil }
    let bottom = top + height
    let total = (bottom + 62 + (hasValues ? 26 : 0)).rounded(.up)
    var lines = [
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(text(width))\" "
        + "height=\"\(text(total))\" viewBox=\"0 0 \(text(width)) \(text(total))\" "
        + "font-family=\"\(NetworkPicture.font)\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"\(palette.background)\"/>",
    ]
    for position in network.links.indices { lines += edges(position) }
    if let loss { lines += lossBox(loss.0, width: loss.1, bottom) }
    for position in network.columns.indices { lines += column(position, bottom) }
    for (position, link) in network.links.enumerated() {
      let middle = (x(position) + x(position + 1)) / 2
      if !link.weightNames.isEmpty {
        lines += weightLabels(position)
        continue
      }
      lines.append(label(link.symbol.svg, middle, 26, size: 16, palette.ink))
      let (outputs, inputs) = (network.columns[position + 1].count, link.inputCount)
      let shape = link.isOutputFirst ? "\(outputs) × \(inputs)" : "\(inputs) × \(outputs)"
      lines.append(label(shape, middle, 43, size: 11.5, palette.faint))
    }
    if hasValues { lines += legend(width, bottom + 66) }
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  private func edges(_ position: Int) -> [String] {
    let link = network.links[position]
    let values = drawn.values[link.name]
    let (left, right) = (heights(position), heights(position + 1))
    var drawnEdges: [(weight: Double, y1: Double, y2: Double)] = []
    for (i, slot) in slots[position].enumerated() {
      guard case .unit(let input) = slot else { continue }
      for (j, slot) in slots[position + 1].enumerated() {
        guard case .unit(let output) = slot else { continue }
        drawnEdges.append(
          (values.map { link.weight(output, input, $0) } ?? .nan, left[i], right[j]))
      }
    }
    let (x1, x2) = (x(position) + NetworkPicture.radius, x(position + 1) - NetworkPicture.radius)
    func line(_ y1: Double, _ y2: Double, _ style: String) -> String {
      "<line x1=\"\(text(x1))\" y1=\"\(text(y1))\" x2=\"\(text(x2))\" y2=\"\(text(y2))\" \(style)/>"
    }
    guard values != nil else {
      return drawnEdges.map {
        line(
          $0.y1, $0.y2, "stroke=\"\(palette.line)\" stroke-width=\"0.9\" stroke-opacity=\"0.55\"")
      }
    }
    let largest = drawnEdges.map { abs($0.weight) }.filter(\.isFinite).max() ?? 0
    // The strongest last, so that they are not painted over.
    return drawnEdges.sorted { abs($0.weight) < abs($1.weight) }.map { edge in
      let share = largest > 0 && edge.weight.isFinite ? abs(edge.weight) / largest : 0
      let color = edge.weight < 0 ? palette.negative : palette.positive
      let dashes = edge.weight < 0 ? " stroke-dasharray=\"6 3\"" : ""
      return line(
        edge.y1, edge.y2,
        "stroke=\"\(color)\" stroke-width=\"\(text(0.4 + 2.8 * share))\" "
          + "stroke-opacity=\"\(text(0.25 + 0.75 * share))\"\(dashes)")
    }
  }

  /// The names of single weights, on paper of their own a third along their edges.
  private func weightLabels(_ position: Int) -> [String] {
    var lines: [String] = []
    let (left, right) = (heights(position), heights(position + 1))
    for (slot, y) in zip(slots[position], left) {
      guard case .unit(let index) = slot else { continue }
      let name = network.links[position].weightNames[index]
      let share = 0.45
      let (middle, height) = (
        x(position) + share * (x(position + 1) - x(position)), y + share * (right[0] - y)
      )
      let width = 8 + 8 * Double(name.length)
      lines.append(
        "<rect x=\"\(text(middle - width / 2))\" y=\"\(text(height - 10))\" "
          + "width=\"\(text(width))\" height=\"20\" rx=\"4\" fill=\"\(palette.background)\"/>")
      lines.append(label(name.svg, middle, height + 5, size: 14, palette.ink))
    }
    return lines
  }

  private func column(_ position: Int, _ bottom: Double) -> [String] {
    let column = network.columns[position]
    let center = x(position)
    let paint = position == 0 ? palette.data : palette.operation
    var lines: [String] = []
    for (slot, y) in zip(slots[position], heights(position)) {
      switch slot {
      case .unit(let index):
        lines.append(
          "<circle cx=\"\(text(center))\" cy=\"\(text(y))\" r=\"\(text(NetworkPicture.radius))\" "
            + "fill=\"\(paint.fill)\" stroke=\"\(paint.stroke)\" stroke-width=\"1.6\"/>")
        lines.append(label(unitName(column, index), center, y + 4.5, size: 13, palette.ink))
      case .elided(let count):
        for offset in [-19.0, -11, -3] {
          lines.append(
            "<circle cx=\"\(text(center))\" cy=\"\(text(y + offset))\" r=\"2\" "
              + "fill=\"\(palette.faint)\"/>")
        }
        lines.append(
          label("\(countText(count)) more", center, y + 20, size: 11.5, palette.faint))
      }
    }
    let heading =
      if !column.functions.isEmpty {
        column.functions.joined(separator: ", ")
      } else if position == 0 {
        column.name
      } else { "linear" }
    lines.append(
      label(MathText(heading).svg, center, bottom + 24, size: 13.5, palette.ink, weight: "bold"))
    let unit = column.count == 1 ? "unit" : "units"
    lines.append(
      label(
        position == 0 ? "\(countText(column.count)) in" : "\(countText(column.count)) \(unit)",
        center,
        bottom + 42, size: 11.5, palette.faint))
    return lines
  }

  /// The name of a unit; the number of its column stands above the number of the unit.
  private func unitName(_ column: NetworkColumns.Column, _ index: Int) -> String {
    if column.unitNames.indices.contains(index) { return column.unitNames[index].svg }
    if column.count == 1, column.index == nil { return column.letter.svg }
    let number = "\(index + 1)"
    guard let position = column.index else {
      let size = number.count > 3 ? 9.0 : 13
      let name = (column.letter + MathText(number, .lower)).svg
      return size == 13 ? name : "<tspan font-size=\"\(text(size))\">\(name)</tspan>"
    }
    let upper = "(\(position))"
    let size = number.count > 3 ? 7 : number.count > 2 ? 8 : 9
    // Back to where the upper index began; digits are wider than parentheses.
    let back = 9 * (0.556 * Double("\(position)".count) + 2 * 0.333)
    return column.letter.svg
      + "<tspan font-size=\"9\" dy=\"-5\">\(upper)</tspan>"
      + "<tspan font-size=\"\(size)\" dx=\"\(text(-back))\" dy=\"9\">\(number)</tspan>"
  }

  private func lossBox(_ loss: MathText, width: Double, _ bottom: Double) -> [String] {
    let last = network.columns.count - 1
    let left = x(last) + 92
    let y = top + height / 2
    var lines: [String] = []
    for (slot, height) in zip(slots[last], heights(last)) {
      guard case .unit = slot else { continue }
      lines.append(
        "<line x1=\"\(text(x(last) + NetworkPicture.radius))\" y1=\"\(text(height))\" "
          + "x2=\"\(text(left))\" y2=\"\(text(y))\" stroke=\"\(palette.line)\" "
          + "stroke-width=\"0.9\" stroke-opacity=\"0.55\"/>")
    }
    lines.append(
      "<rect x=\"\(text(left))\" y=\"\(text(y - 19))\" width=\"\(text(width))\" height=\"38\" "
        + "rx=\"8\" fill=\"\(palette.operation.fill)\" stroke=\"\(palette.operation.stroke)\" "
        + "stroke-width=\"1.6\"/>")
    lines.append(label(loss.svg, left + width / 2, y + 4.5, size: 13.5, palette.ink))
    guard !network.targets.isEmpty else { return lines }
    let names = network.targets.map(\.svg).joined(separator: ", ")
    let middle = left + width / 2
    let room = 20 + 7.6 * Double(network.targets.reduce(0) { $0 + $1.length + 1 })
    lines.append(
      "<line x1=\"\(text(middle))\" y1=\"\(text(y + 58))\" x2=\"\(text(middle))\" "
        + "y2=\"\(text(y + 20))\" stroke=\"\(palette.data.stroke)\" stroke-width=\"1.4\"/>")
    lines.append(
      "<rect x=\"\(text(middle - room / 2))\" y=\"\(text(y + 46))\" width=\"\(text(room))\" "
        + "height=\"28\" fill=\"\(palette.data.fill)\" stroke=\"\(palette.data.stroke)\" "
        + "stroke-width=\"1.6\"/>")
    lines.append(label(names, middle, y + 64.5, size: 13, palette.ink))
    return lines
  }

  private func legend(_ width: Double, _ y: Double) -> [String] {
    let start = max(width / 2 - 165, 8)
    func sample(_ x: Double, _ color: String, _ dashes: String) -> String {
      "<line x1=\"\(text(x))\" y1=\"\(text(y - 4))\" x2=\"\(text(x + 34))\" y2=\"\(text(y - 4))\" "
        + "stroke=\"\(color)\" stroke-width=\"2.4\"\(dashes)/>"
    }
    return [
      sample(start, palette.positive, ""),
      label("positive", start + 42, y, size: 11.5, palette.faint, anchor: "start"),
      sample(start + 104, palette.negative, " stroke-dasharray=\"6 3\""),
      label("negative", start + 146, y, size: 11.5, palette.faint, anchor: "start"),
      label("thicker: larger", start + 220, y, size: 11.5, palette.faint, anchor: "start"),
    ]
  }

  private func label(
    _ content: String, _ x: Double, _ y: Double, size: Double, _ color: String,
    anchor: String = "middle", weight: String = "normal"
  ) -> String {
    "<text x=\"\(text(x))\" y=\"\(text(y))\" font-size=\"\(text(size))\" fill=\"\(color)\" "
      + "text-anchor=\"\(anchor)\""
      + (weight == "normal" ? "" : " font-weight=\"\(weight)\"") + ">\(content)</text>"
  }

  /// A length to two digits behind the point.
  private func text(_ value: Double) -> String {
    let rounded = (value * 100).rounded() / 100
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }
}

extension NetworkColumns {
  /// The columns in characters.
  func text() -> String {
    let slots = columns.map { NetworkPicture.slots($0.count, most: 7, head: 3, tail: 2) }
    let rowCount = slots.map(\.count).max() ?? 1
    let captions = columns.indices.map { position in
      let functions = columns[position].functions.joined(separator: ", ")
      return [
        "\(countText(columns[position].count))",
        visible(position == 0 ? columns[0].name : functions.isEmpty ? "linear" : functions),
      ]
    }
    let widths = captions.map { max($0.map(\.count).max() ?? 0, 3) }
    func centered(_ text: String, _ width: Int) -> String {
      let left = (width - text.count) / 2
      return String(repeating: " ", count: left) + text
        + String(repeating: " ", count: width - text.count - left)
    }
    let gaps = links.map { "── \($0.symbol.plain) ──" }
    var lines: [String] = []
    for row in 0..<rowCount {
      var line = ""
      for (position, column) in slots.enumerated() {
        let index = row - (rowCount - column.count) / 2
        let mark =
          if column.indices.contains(index) {
            switch column[index] {
            case .unit: "○"
            case .elided: "⋮"
            }
          } else { "" }
        line += centered(mark, widths[position])
        guard position < links.count else { continue }
        let gap = row == (rowCount - 1) / 2 ? gaps[position] : ""
        line += " " + centered(gap, gaps[position].count) + " "
      }
      if row == (rowCount - 1) / 2, let loss { line += " ── " + loss.plain }
      lines.append(line)
    }
    for part in 0..<2 {
      lines.append(
        columns.indices.map { position in
          centered(captions[position][part], widths[position])
            + (position < links.count
              ? String(repeating: " ", count: gaps[position].count + 2) : "")
        }.joined())
    }
    return lines.map { line in
      var line = line
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
