/// The result of a network on all rows of a split.
public struct Evaluation: Hashable, Sendable {
  /// The number of rows whose label is among the largest outputs.
  public struct Top: Hashable, Sendable {
    /// The number of outputs that count as largest.
    public let outputs: Int
    /// The rows whose label is among them; of equal outputs the lowest class comes first.
    public let correct: Int
  }

  /// The distances of outputs from responses.
  public struct Errors: Hashable, Sendable {
    /// The mean of `(output − response)²` over rows and responses.
    public let meanSquared: Double
    /// The mean of `|output − response|` over rows and responses.
    public let meanAbsolute: Double
  }

  /// The mean loss per row.
  public let loss: Double
  /// The rows whose largest output is that of the label; nil without labels.
  public let correct: Int?
  /// The number of rows, each counted once.
  public let count: Int
  /// The rows whose label is among the largest outputs; nil if it was not asked for.
  public let top: Top?
  /// The errors of the responses; nil with labels.
  public let errors: Errors?

  /// Creates a result.
  package init(
    loss: Double, correct: Int?, count: Int, top: Top? = nil, errors: Errors? = nil
  ) {
    self.loss = loss
    self.correct = correct
    self.count = count
    self.top = top
    self.errors = errors
  }

  /// The fraction of correct rows; nil without labels.
  public var accuracy: Double? { correct.map { Double($0) / Double(count) } }

  /// The fraction of rows whose label is among the largest outputs.
  public var topAccuracy: Double? { top.map { Double($0.correct) / Double(count) } }

  /// Returns whether this result is better than another one of the same split: more rows correct, then a lower
  /// loss.
  public func isBetter(than other: Evaluation) -> Bool {
    if let correct, let otherCorrect = other.correct, correct != otherCorrect {
      return correct > otherCorrect
    }
    return loss < other.loss
  }
}
