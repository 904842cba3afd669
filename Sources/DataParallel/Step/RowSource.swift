/// Rows that a network is trained or evaluated on.
///
/// Safe to read from several threads at once.
public protocol RowSource: AnyObject, Sendable {
  /// The number of rows.
  var rowCount: Int { get }
  /// Writes the samples and targets of some rows.
  ///
  /// - Parameters:
  ///   - rows: Indices within `0 ..< rowCount`, in the order wanted.
  ///   - samples: Room for that many samples, row-major.
  ///   - targets: The memory of class numbers or responses; nil if there are none to read.
  /// - Throws: The errors of reading a file, or of a row with unusable values.
  func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) throws
}

/// The memory that the targets of rows are written to.
public enum TargetMemory {
  /// Class numbers, one per row.
  case labels(UnsafeMutablePointer<Int32>)
  /// Numbers, row-major.
  case responses(UnsafeMutablePointer<Float>)
}
