// A survey of the values of some rows, for scales and normalisations that were forgotten.

internal import HDF5
internal import Tensors

/// Statistics of up to 1,000 rows at fixed positions of a file.
struct SampleSurvey {
  /// An entry of the first axis of samples, and the spread of its values.
  struct Spread {
    /// The index of the entry: a channel of images, an element of vectors.
    let index: Int
    /// The standard deviation.
    let deviation: Double
    /// The difference between the largest and the smallest value.
    let range: Double
  }

  /// The smallest value.
  let minimum: Float
  /// The largest value.
  let maximum: Float
  /// Indicates whether all values are whole numbers.
  let isWhole: Bool
  /// The entries that are not constant, from the smallest deviation to the largest.
  let spreads: [Spread]

  /// The maximum number of rows, and of elements if these are more than 16 rows.
  private static let (rowLimit, elementLimit) = (1000, 1 << 18)

  /// Surveys rows of a file.
  ///
  /// - Throws: ``DatasetError`` if they cannot be read.
  /// - Complexity: O(elements) of at most 262,144 elements, or of 16 rows if these have more.
  init(_ dataset: Dataset) throws(DatasetError) {
    let elementCount = dataset.sampleShape.count
    let rowCount = min(
      dataset.rowCount,
      max(16, min(SampleSurvey.rowLimit, SampleSurvey.elementLimit / elementCount)))
    let rows = evenlySpaced(rowCount, of: dataset.rowCount)
    var values = [Float](repeating: 0, count: rowCount * elementCount)
    try rows.withUnsafeBufferPointer { (rows) throws(DatasetError) in
      try values.withUnsafeMutableBufferPointer { (values) throws(DatasetError) in
        guard let target = values.baseAddress else { return }
        try dataset.readSamples(rows: rows, into: target)
      }
    }
    let groupCount = dataset.sampleShape.extents[0]
    let groupSize = elementCount / groupCount
    var (minimum, maximum, isWhole) = (Float.infinity, -Float.infinity, true)
    var spreads: [Spread] = []
    for group in 0..<groupCount {
      // Distances from a value of the first row avoid cancellation if the mean is far from 0.
      let origin = Double(values[group * groupSize])
      var (least, largest, sum, squares) = (Float.infinity, -Float.infinity, 0.0, 0.0)
      for row in 0..<rowCount {
        let start = row * elementCount + group * groupSize
        for value in values[start..<start + groupSize] {
          least = min(least, value)
          largest = max(largest, value)
          isWhole = isWhole && value == value.rounded(.towardZero)
          let distance = Double(value) - origin
          sum += distance
          squares += distance * distance
        }
      }
      (minimum, maximum) = (min(minimum, least), max(maximum, largest))
      guard largest > least else { continue }
      let count = Double(rowCount * groupSize)
      let variance = max(squares / count - sum / count * (sum / count), 0)
      spreads.append(
        Spread(
          index: group, deviation: variance.squareRoot(), range: Double(largest) - Double(least)))
    }
    (self.minimum, self.maximum, self.isWhole) = (minimum, maximum, isWhole)
    self.spreads = spreads.sorted { ($0.deviation, $0.index) < ($1.deviation, $1.index) }
  }

  /// The entries with the smallest and the largest deviation; nil if all are constant.
  ///
  /// Entries that hardly vary do not count. If there are many, like the elements of an image, the lowest and the
  /// highest twentieth are left out: towards the border of images, deviations fall off smoothly.
  var extremes: (least: Spread, largest: Spread)? {
    guard let last = spreads.last else { return nil }
    let varying = spreads.filter { $0.deviation > 1e-6 * last.deviation }
    let left = varying.count > 64 ? varying.count / 20 : 0
    return varying.isEmpty ? nil : (varying[left], varying[varying.count - 1 - left])
  }

  /// The root of the mean variance of the entries.
  var deviation: Double {
    let squares = spreads.reduce(0) { $0 + $1.deviation * $1.deviation }
    return (squares / Double(max(spreads.count, 1))).squareRoot()
  }
}

/// Returns a positive number rounded to three digits.
private func short(_ number: Double) -> String {
  var unit = 1.0
  while number / unit >= 1000 { unit *= 10 }
  while number / unit < 100 { unit /= 10 }
  let value = (number / unit).rounded() * unit
  return value < 1 ? "\(Float(value))" : plain(value)
}

/// Returns `count` evenly spaced indices of `0..<total`, ascending from 0.
package func evenlySpaced(_ count: Int, of total: Int) -> [Int] {
  (0..<count).map { total / count * $0 + total % count * $0 / count }
}

extension Dataset {
  /// The factor between deviations, and between ranges, above which a notice is given.
  private static let spreadLimit = 1000.0
  /// The range above which whole numbers are assumed to lack a scale.
  private static let rangeLimit: Float = 30

  /// Surveys some rows for values that are unsuitable for training.
  ///
  /// These are whole numbers of a large range without a scale, like the bytes of images, and entries of samples
  /// whose deviations, and also ranges, differ by a factor above 1,000; an entry that is nearly constant does not
  /// count.
  ///
  /// - Returns: The notices, which apply to models that do not normalise their samples.
  /// - Throws: ``DatasetError`` if rows cannot be read.
  /// - Complexity: that of reading up to 1,000 rows with 262,144 elements, or 16 rows.
  public func surveyNotices() throws(DatasetError) -> [Notice] {
    let survey = try SampleSurvey(self)
    let name = arrays[0].name
    var notices: [Notice] = []
    if !hasGivenScale, !arrays[0].hasFactors, isLikelyImage(survey), survey.isWhole,
      survey.maximum - survey.minimum > Dataset.rangeLimit
    {
      let largest = Double(max(abs(survey.minimum), abs(survey.maximum)))
      let unit = [255.0, 65535].first { largest <= $0 && largest > $0 / 2 } ?? largest
      notices.append(
        Notice(
          kind: .unscaled,
          text: "\(path): '\(name)' holds whole numbers from \(plain(Double(survey.minimum))) to "
            + "\(plain(Double(survey.maximum))) and no scale; set data.scale to \(1 / unit) "
            + "(1/\(plain(unit))), or data.normalize to channel"))
    }
    if let (least, largest) = survey.extremes,
      largest.deviation > Dataset.spreadLimit * least.deviation,
      largest.range > Dataset.spreadLimit * least.range
    {
      let what = sampleShape.axisCount == 1 ? "element" : "channel"
      notices.append(
        Notice(
          kind: .spread,
          text: "\(path): deviations of '\(name)' differ by a factor of "
            + "\(short(largest.deviation / least.deviation)): \(what) \(largest.index) has "
            + "\(short(largest.deviation)), \(what) \(least.index) \(short(least.deviation)); set "
            + "data.normalize to channel"))
    }
    return notices
  }

  /// Returns the root of the mean variance of the samples' entries.
  ///
  /// - Throws: ``DatasetError`` if rows cannot be read.
  /// - Complexity: that of reading up to 1,000 rows.
  public func deviation() throws(DatasetError) -> Double { try SampleSurvey(self).deviation }

  /// Compares the deviation of samples with that of another file.
  ///
  /// - Parameter there: The ``deviation()`` of the other file.
  /// - Returns: Both; nil if they differ by a factor of 20 or less, unlike with a forgotten scale.
  /// - Throws: ``DatasetError`` if rows cannot be read.
  /// - Complexity: that of reading up to 1,000 rows.
  public func differenceOfDeviation(
    from there: Double
  ) throws(DatasetError) -> (here: String, there: String)? {
    let here = try deviation()
    guard min(here, there) > 0, max(here, there) > 20 * min(here, there) else { return nil }
    return (short(here), short(there))
  }

  /// Returns whether whole numbers are more likely to be brightnesses than counts or codes.
  private func isLikelyImage(_ survey: SampleSurvey) -> Bool {
    let type = arrays[0].type
    let isInteger = type.kind == .integer
    if isInteger, !type.isSigned, type.byteCount == 1 { return survey.maximum >= 128 }
    if sampleShape.axisCount > 1 { return isInteger || sampleShape.count >= 64 }
    // An image in one row has many elements, and its bytes reach high values.
    return sampleShape.count >= 64 && survey.minimum >= 0 && (128...255).contains(survey.maximum)
  }

  /// Compares scale and bias of the samples of this file with those of another file of the same type.
  ///
  /// - Returns: Scale and bias here and there; nil if they are equal or the types differ.
  public func differenceOfScale(from other: Dataset) -> (here: String, there: String)? {
    guard arrays[0].type.machineType == other.arrays[0].type.machineType,
      samples.conversion.scales != other.samples.conversion.scales
        || samples.conversion.biases != other.samples.conversion.biases
    else { return nil }
    func text(_ conversion: RowConversion) -> String {
      func list(_ numbers: [Float]) -> String {
        Set(numbers).count == 1 ? "\(numbers[0])" : "\(numbers)"
      }
      return "scale \(list(conversion.scales)) and bias \(list(conversion.biases))"
    }
    return (text(samples.conversion), text(other.samples.conversion))
  }
}
