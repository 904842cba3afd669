// The arithmetic of a thread: what becomes of the smallest numbers.

import CVectors

/// Runs `body` with numbers below 2⁻¹²⁶ counted as zero on this thread, in operands and results.
///
/// Momentum that dies out would otherwise stay at the smallest numbers for ever, which some CPUs compute
/// with a hundred times as slowly. All threads that train do it, so that the bits are alike.
///
/// - Complexity: a few nanoseconds.
public func flushingDenormals<Result, Failure: Error>(
  _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
  let before = cvectors_arithmetic()
  cvectors_set_arithmetic(before | cvectors_flush_bits())
  defer { cvectors_set_arithmetic(before) }
  return try body()
}
