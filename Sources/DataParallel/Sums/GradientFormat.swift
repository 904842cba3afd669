/// The format in which sums of gradients are sent between groups of ranks.
public enum GradientFormat: String, CaseIterable, Sendable {
  /// As they are.
  case float
  /// Rounded to bfloat16, the loss added the next time: half as many bytes, but the answer depends
  /// on the groups, and on the steps after which a run was stopped.
  case bf16

  /// The floats of a message that hold a range of numbers, which begins and ends on cache lines.
  package func floats(_ elements: Range<Int>) -> Range<Int> {
    switch self {
    case .float: elements
    case .bf16: elements.lowerBound / 2..<elements.upperBound / 2
    }
  }
}
