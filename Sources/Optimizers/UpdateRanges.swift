public import Tensors

/// The action of a step on each range of elements of the flat vectors.
///
/// Ranges lie one after another without gaps, padding included; neighbors with the same action are merged,
/// so a plain model has a single one.
public struct UpdateRanges: Equatable, Sendable {
  /// An action on the elements of a range.
  public enum Action: Hashable, Sendable {
    /// Follows the optimizer's rule, with its step size times `rateFactor`, penalties only if `isDecayed`,
    /// and the trust ratio of the array of that number if there is one.
    case learn(rateFactor: Double = 1, isDecayed: Bool = true, trustRatioIndex: Int? = nil)
    /// Moves running averages, in which a step has the weight `momentum`.
    case follow(momentum: Double)
    /// Changes nothing.
    case keep
  }

  /// The index of the first element of each range, ascending from 0.
  private let starts: [Int]
  /// The action on each range.
  private let actions: [Action]
  /// The elements of a flat vector.
  public let count: Int
  /// The elements of each array of the layout, and the action on them.
  let arrays: [(elements: Range<Int>, action: Action)]

  /// Applies one action to all of `count` elements, as one array.
  public init(count: Int, action: Action = .learn()) {
    self.init(count: count, [(0..<count, action)])
  }

  /// Chooses an action for each array of a layout.
  ///
  /// - Parameters:
  ///   - layout: The places of the arrays.
  ///   - action: Returns the action on an array, given its number and range.
  public init(_ layout: FlatLayout, action: (_ number: Int, FlatLayout.Range) -> Action) {
    self.init(
      count: layout.count,
      layout.ranges.enumerated().map { ($0.element.indices, action($0.offset, $0.element)) })
  }

  private init(count: Int, _ arrays: [(elements: Range<Int>, action: Action)]) {
    var starts: [Int] = []
    var actions: [Action] = []
    for array in arrays where array.elements.lowerBound < count && array.action != actions.last {
      starts.append(array.elements.lowerBound)
      actions.append(array.action)
    }
    self.starts = starts
    self.actions = actions
    self.count = count
    self.arrays = arrays
  }

  /// The number of ranges.
  public var rangeCount: Int { starts.count }

  /// The elements of each array that follows the rule; an empty range for others.
  package var learnedArrays: [Range<Int>] {
    arrays.map { array in
      switch array.action {
      case .learn: array.elements
      case .keep, .follow: array.elements.lowerBound..<array.elements.lowerBound
      }
    }
  }

  /// Calls `body` with each part of `elements` and the action on it, in order.
  ///
  /// - Parameters:
  ///   - elements: A range of the flat vectors.
  ///   - body: Receives an action and the part of `elements`, not empty, that it concerns.
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

  /// Returns the index of the range with an element.
  private func index(of element: Int) -> Int {
    precondition(element < count, "element \(element) of \(count)")
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= element { low = middle } else { high = middle }
    }
    return low
  }

  /// Returns true if both apply the same actions to the same elements.
  public static func == (lhs: UpdateRanges, rhs: UpdateRanges) -> Bool {
    lhs.count == rhs.count && lhs.starts == rhs.starts && lhs.actions == rhs.actions
  }
}
