// A diagram in characters: boxes below each other for a chain, else a tree from the results to the leaves.

extension Diagram {
  /// The diagram as lines of text.
  func text() -> String {
    let lines = chain().map(boxed) ?? tree()
    return lines.joined(separator: "\n") + "\n"
  }

  /// The boxes from first to last if each has at most one computed input; the others are beside it.
  private func chain() -> [Int]? {
    guard direction == .down, groups.isEmpty, !boxes.contains(where: \.isBackward) else {
      return nil
    }
    var (next, incoming) = ([Int: [Int]](), [Int: [Int]]())
    for arrow in arrows {
      next[arrow.from, default: []].append(arrow.to)
      incoming[arrow.to, default: []].append(arrow.from)
    }
    let main = boxes.indices.filter { boxes[$0].role == .operation || boxes[$0].role == .data }
    guard let first = main.first(where: { incoming[$0] == nil }) else { return nil }
    var result = [first]
    while let last = result.last, let following = next[last] {
      guard following.count == 1 else { return nil }
      result.append(following[0])
    }
    let onChain = Set(result)
    for position in boxes.indices where !onChain.contains(position) {
      guard incoming[position] == nil, next[position]?.count == 1 else { return nil }
    }
    return result
  }

  private func boxed(_ chain: [Int]) -> [String] {
    let onChain = Set(chain)
    var lines: [String] = []
    for (index, position) in chain.enumerated() {
      let content = ([boxes[position].title] + boxes[position].captions).map(\.plain)
      let width = max(content.map(columnCount).max() ?? 0, 5)
      let sides = arrows.filter { $0.to == position && !onChain.contains($0.from) }.map { arrow in
        // Where arrows have no shapes, boxes have.
        let label = arrow.label.length > 0 ? [arrow.label] : boxes[arrow.from].captions
        return ([boxes[arrow.from].title] + label).map(\.plain).joined(separator: "  ")
      }
      let isData = boxes[position].role == .data
      let (corners, bar) = isData ? (Array("┌┐└┘"), "│") : (Array("╭╮╰╯"), "│")
      let top = String(repeating: "─", count: width + 2)
      let entry = index > 0 ? "──▼" + top.dropFirst(3) : top
      lines.append("\(corners[0])\(entry)\(corners[1])")
      for (row, line) in content.enumerated() {
        let padding = String(repeating: " ", count: width - columnCount(line))
        let side = row == 0 && !sides.isEmpty ? " ◄── " + sides.joined(separator: ", ") : ""
        lines.append("\(bar) \(line)\(padding) \(bar)\(side)")
      }
      let exit = index + 1 < chain.count ? "──┬" + top.dropFirst(3) : top
      lines.append("\(corners[2])\(exit)\(corners[3])")
      if index + 1 < chain.count {
        let label = arrows.first { $0.from == position && $0.to == chain[index + 1] }?.label.plain
        lines.append("   │" + (label.map { $0.isEmpty ? "" : " " + $0 } ?? ""))
      }
    }
    return lines
  }

  private func tree() -> [String] {
    var incoming: [Int: [Arrow]] = [:]
    var useCounts: [Int: Int] = [:]
    for arrow in arrows {
      incoming[arrow.to, default: []].append(arrow)
      useCounts[arrow.from, default: 0] += 1
    }
    var lines: [String] = []
    var numbers: [Int: Int] = [:]
    // A stack of our own: graphs are deeper than call stacks.
    var stack: [(position: Int, label: String, lead: String, isLast: Bool, isRoot: Bool)] = []
    for position in boxes.indices.reversed()
    where useCounts[position] == nil || boxes[position].isResult {
      stack.append((position, "", "", true, true))
    }
    while let (position, label, lead, isLast, isRoot) = stack.popLast() {
      let branch = isRoot ? "" : lead + (isLast ? "└─ " : "├─ ")
      let prefix = label.isEmpty ? "" : label == "⊸" ? "⊸ " : label + ": "
      if let number = numbers[position] {
        lines.append(branch + prefix + boxes[position].title.plain + "  ↑ (\(number))")
        continue
      }
      var line = branch + prefix + description(position)
      if useCounts[position] ?? 0 > 1 || (boxes[position].isResult && useCounts[position] != nil) {
        numbers[position] = numbers.count + 1
        line += "  (\(numbers.count))"
      }
      lines.append(line)
      let next = isRoot ? "" : lead + (isLast ? "   " : "│  ")
      let operands = incoming[position] ?? []
      for (index, arrow) in operands.enumerated().reversed() {
        let isLast = index == operands.count - 1
        stack.append((arrow.from, arrow.isInverse ? "⊸" : arrow.label.plain, next, isLast, false))
      }
    }
    return lines
  }

  private func description(_ position: Int) -> String {
    let box = boxes[position]
    let role =
      switch box.role {
      case .data: ["data"]
      case .parameter: ["parameter"]
      case .constant, .operation: [String]()
      }
    let parts = [box.title.plain] + role + box.captions.map(\.plain)
    return parts.joined(separator: "  ")
  }
}

/// The columns that a text takes; marks that join the letter before them take none.
func columnCount(_ text: String) -> Int { text.count }
