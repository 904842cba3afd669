/// A result on all rows of a split, broken down by class or response.
public struct EvaluationReport: Hashable, Sendable {
  /// The breakdown of the result.
  public enum Detail: Hashable, Sendable {
    /// Labels against the classes with the largest outputs.
    case classes(Confusion)
    /// Responses against outputs.
    case responses(ResponseResults)
  }

  /// The result as a whole.
  public let evaluation: Evaluation
  /// The result part by part.
  public let detail: Detail
}

/// The distances of the outputs of a regression from the responses.
public struct ResponseResults: Hashable, Sendable {
  /// One response over all rows, or all of them together.
  public struct Result: Hashable, Sendable {
    /// The mean of `(output − response)²`.
    public let meanSquared: Double
    /// The mean of `|output − response|`.
    public let meanAbsolute: Double
    /// `1 − Σ (output − response)² / Σ (response − its mean)²`; nil if the response never changes.
    public let r2: Double?

    /// The root of the mean squared error, in units of the response.
    public var rootMeanSquared: Double { meanSquared.squareRoot() }
  }

  /// Each response, in order.
  public let responses: [Result]
  /// All of them; R² weights each by its variance, since both of its sums run over all responses.
  public let all: Result

  /// Creates the result from sums over rows.
  ///
  /// - Parameters:
  ///   - rowCount: The number of rows.
  ///   - errors: The means over all responses.
  ///   - sums: The sums of each response.
  package init(rowCount: Int, errors: Evaluation.Errors, sums: [ResponseSums]) {
    let count = Double(rowCount)
    func r2(_ squared: Double, _ spread: Double) -> Double? {
      spread > 0 ? 1 - squared / spread : nil
    }
    let spreads = sums.map { $0.spread(rowCount: count) }
    responses = zip(sums, spreads).map { sums, spread in
      Result(
        meanSquared: sums.squared / count, meanAbsolute: sums.absolute / count,
        r2: r2(sums.squared, spread))
    }
    all = Result(
      meanSquared: errors.meanSquared, meanAbsolute: errors.meanAbsolute,
      r2: r2(sums.reduce(0) { $0 + $1.squared }, spreads.reduce(0, +)))
  }
}

/// The sums over the rows of one response.
package struct ResponseSums {
  /// The squares of the errors.
  package var squared: Double
  /// The magnitudes of the errors.
  package var absolute: Double
  /// The responses, less that of the first row, so that the spread survives a mean far from 0.
  package var shifted: Double
  /// The squares of these.
  package var shiftedSquared: Double

  /// The number of sums.
  package static let count = 4

  package init(squared: Double, absolute: Double, shifted: Double, shiftedSquared: Double) {
    self.squared = squared
    self.absolute = absolute
    self.shifted = shifted
    self.shiftedSquared = shiftedSquared
  }

  init(_ numbers: ArraySlice<Double>) {
    let start = numbers.startIndex
    self.init(
      squared: numbers[start], absolute: numbers[start + 1], shifted: numbers[start + 2],
      shiftedSquared: numbers[start + 3])
  }

  /// `Σ (response − mean)²`.
  func spread(rowCount: Double) -> Double { shiftedSquared - shifted * shifted / rowCount }
}
