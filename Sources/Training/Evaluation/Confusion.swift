/// The numbers of rows by label and prediction, with precision, recall and F1.
public struct Confusion: Hashable, Sendable {
  /// The rows of one class that were taken for one class.
  public struct Entry: Hashable, Sendable {
    /// The class of the rows.
    public let label: Int
    /// The class they were taken for.
    public let prediction: Int
    /// Their number, at least 1.
    public let count: Int
  }

  /// One class among all others.
  public struct ClassResult: Hashable, Sendable {
    /// The class.
    public let label: Int
    /// The rows of the class.
    public let support: Int
    /// The rows taken for it.
    public let predicted: Int
    /// The rows of the class that were taken for it.
    public let correct: Int

    /// The fraction of correct rows among those taken for it; nil if there are none.
    public var precision: Double? { fraction(correct, of: predicted) }
    /// The fraction of correct rows among those of the class; nil if there are none.
    public var recall: Double? { fraction(correct, of: support) }
    /// `2 · precision · recall / (precision + recall)`, as twice the correct rows over support plus
    /// predicted; nil for a class that does not occur.
    public var f1: Double? { fraction(2 * correct, of: support + predicted) }

    private func fraction(_ part: Int, of whole: Int) -> Double? {
      whole == 0 ? nil : Double(part) / Double(whole)
    }
  }

  /// Means over classes.
  public struct Averages: Hashable, Sendable {
    /// The mean precision.
    public let precision: Double
    /// The mean recall.
    public let recall: Double
    /// The mean of F1.
    public let f1: Double
  }

  /// The number of classes.
  public let classCount: Int
  /// The pairs that occur, by label and then by prediction.
  public let entries: [Entry]
  /// Every class, in order.
  public let classes: [ClassResult]

  /// Creates the result from counts.
  ///
  /// - Parameters:
  ///   - classCount: The number of classes.
  ///   - counts: The numbers of rows, by `label · classCount + prediction`; absent pairs count 0.
  package init(classCount: Int, counts: [Int: Int]) {
    self.classCount = classCount
    entries = counts.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { key, count in
      Entry(label: key / classCount, prediction: key % classCount, count: count)
    }
    var (support, predicted, correct) = (
      [Int](repeating: 0, count: classCount), [Int](repeating: 0, count: classCount),
      [Int](repeating: 0, count: classCount)
    )
    for entry in entries {
      support[entry.label] += entry.count
      predicted[entry.prediction] += entry.count
      if entry.label == entry.prediction { correct[entry.label] = entry.count }
    }
    classes = (0..<classCount).map {
      ClassResult(label: $0, support: support[$0], predicted: predicted[$0], correct: correct[$0])
    }
  }

  /// Means over the classes that occur, as label or as prediction; a precision or recall that is not
  /// defined counts as 0 among them.
  ///
  /// scikit-learn's `average="macro"` with its default labels and `zero_division`.
  public var macroAverages: Averages {
    let present = classes.filter { $0.support + $0.predicted > 0 }
    func mean(_ value: (ClassResult) -> Double?) -> Double {
      present.reduce(0) { $0 + (value($1) ?? 0) } / Double(max(present.count, 1))
    }
    return Averages(
      precision: mean(\.precision), recall: mean(\.recall), f1: mean(\.f1))
  }

  /// The pairs of different classes with the most rows, the largest first.
  ///
  /// - Parameter count: The most pairs to return.
  /// - Returns: The pairs; of equal ones those of lower classes first.
  public func mostConfused(_ count: Int) -> [Entry] {
    let wrong = entries.filter { $0.label != $0.prediction }
    return Array(
      wrong.sorted { (-$0.count, $0.label, $0.prediction) < (-$1.count, $1.label, $1.prediction) }
        .prefix(count))
  }

  /// The numbers of rows by label and then by prediction.
  ///
  /// - Complexity: O(classCount²) memory.
  public var matrix: [[Int]] {
    var matrix = Array(repeating: Array(repeating: 0, count: classCount), count: classCount)
    for entry in entries { matrix[entry.label][entry.prediction] = entry.count }
    return matrix
  }
}
