public import Tensors

/// What one step does to which elements of the flat vectors.
///
/// Ranges lie one after another without gaps, padding included; neighbours to which the same happens
/// are one range, so a plain model has a single one.
public struct UpdateRanges: Hashable, Sendable {
  /// What happens to the elements of a range.
  public enum Action: Hashable, Sendable {
    /// They follow the optimiser's rule, with its step size times `rateFactor`.
    case learn(rateFactor: Double = 1, isDecayed: Bool = true)
    /// They never change.
    case keep
  }

  /// The index of the first element of each range, ascending from 0.
  private let starts: [Int]
  /// What happens to each range.
  private let actions: [Action]
  /// The elements of a flat vector.
  public let count: Int

  /// Lets the same happen to all of `count` elements.
  public init(count: Int, action: Action = .learn()) {
    self.init(count: count, [(0, action)])
  }

  /// Lets something happen to each array of a layout.
  ///
  /// - Parameters:
  ///   - layout: Where the arrays lie.
  ///   - action: What happens to one of them.
  public init(_ layout: FlatLayout, action: (FlatLayout.Range) -> Action) {
    self.init(count: layout.count, layout.ranges.map { ($0.offset, action($0)) })
  }

  private init(count: Int, _ ranges: [(start: Int, action: Action)]) {
    var starts: [Int] = []
    var actions: [Action] = []
    for range in ranges where range.start < count && range.action != actions.last {
      starts.append(range.start)
      actions.append(range.action)
    }
    self.starts = starts
    self.actions = actions
    self.count = count
  }

  /// The number of ranges.
  public var rangeCount: Int { starts.count }

  /// Calls `body` with what happens to each part of `elements`, in order.
  ///
  /// - Parameters:
  ///   - elements: A range of the flat vectors.
  ///   - body: Gets an action and the part of `elements` that it happens to, not empty.
  /// - Complexity: O(log ranges + parts); no allocation.
  @inline(__always)
  package func forEach(in elements: Range<Int>, _ body: (Action, Range<Int>) -> Void) {
    guard !elements.isEmpty else { return }
    var index = index(of: elements.lowerBound)
    var start = elements.lowerBound
    while start < elements.upperBound {
      let end = index + 1 < starts.count ? starts[index + 1] : count
      let part = start..<min(end, elements.upperBound)
      body(actions[index], part)
      start = part.upperBound
      index += 1
    }
  }

  /// The range that holds an element.
  private func index(of element: Int) -> Int {
    precondition(element < count, "element \(element) of \(count)")
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= element { low = middle } else { high = middle }
    }
    return low
  }
}
