// A schedule as text: the memory, then the steps.
import Graphs
import Tensors

extension Schedule: CustomStringConvertible {
  /// A listing for people and tests; the same for equal schedules.
  public var description: String {
    var lines = ["\(group), \(steps.count) steps", "", "memory"]
    let used = Region.allCases.filter { memory[$0, default: 0] > 0 }
    let counts = used.map { "\(memory[$0, default: 0])" }
    let width = counts.map(\.count).max() ?? 0
    let nameWidth = used.map { "\($0)".count }.max() ?? 0
    for (region, count) in zip(used, counts) {
      let padding = String(
        repeating: " ", count: nameWidth - "\(region)".count + width - count.count)
      lines.append("  \(region)  \(padding)\(count) × \(region.element)")
    }
    lines += ["", "inputs"]
    for (name, value) in inputs.sorted(by: { $0.key < $1.key }) {
      lines.append("  \(name): \(value)")
    }
    for constant in constants {
      lines.append("  \(constant.text): \(constant.location)")
    }
    lines += ["", "steps"]
    for (index, step) in steps.enumerated() {
      lines += milestones(before: index)
      lines.append("  \(index + 1). \(step.label)")
      let scope = step.scope == .microbatch ? "each microbatch, " : ""
      lines.append("     \(scope)\(step.rows.rawValue): \(step.text)")
    }
    lines += milestones(before: steps.count)
    return lines.joined(separator: "\n") + "\n"
  }

  /// The lines about what is there when so many steps are done.
  private func milestones(before stepCount: Int) -> [String] {
    var lines: [String] = []
    for write in gradientWrites where write.step + 1 == stepCount {
      let (first, end) = (write.elements.lowerBound, write.elements.upperBound)
      lines.append("  gradient \(first) ..< \(end) is final")
    }
    if stepCount == forwardStepCount, !values.isEmpty {
      lines.append("  values: " + values.map { "\($0)" }.joined(separator: ", "))
    }
    for end in segmentEnds where end.stepCount == stepCount {
      lines.append("  sum over microbatches: " + end.sums.map { "\($0)" }.joined(separator: ", "))
    }
    return lines
  }
}

extension Value: CustomStringConvertible {
  /// The place and the shape, such as `arena 128 [batch, 3]`, and the distance of copies.
  public var description: String {
    if case .copies(let stride) = spread { return "\(location) \(shape) every \(stride)" }
    return "\(location) \(shape)"
  }
}

extension MicrobatchGroup: CustomStringConvertible {
  /// The rows, such as `12 rows`, or of several microbatches `12 = 4 + 4 + 4 rows`.
  public var description: String {
    let counts = rows.map { "\($0.count)" }.joined(separator: " + ")
    return isSingle ? "\(rowCount) rows" : "\(rowCount) = \(counts) rows"
  }
}

extension Schedule.Constant {
  fileprivate var text: String {
    numbers.count == 1 ? "\(numbers[0]) × \(count)" : "\(count) numbers"
  }
}

extension Step {
  /// The places of operands and results, and of slots.
  fileprivate var text: String {
    func list(_ values: [Value]) -> String { values.map { "\($0)" }.joined(separator: ", ") }
    var text = "\(operands.isEmpty ? "" : list(operands) + " ")→ \(list(results))"
    if case .chain(let chain) = action, chain.slotCount > 0 {
      text += "; \(chain.slotCount) slots of \(chain.blockLength) at \(chain.scratch)"
    }
    return text
  }
}
