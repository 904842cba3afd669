/// Returns whether two numbers agree to a relative tolerance.
///
/// `|a − b| ≤ tolerance · max(|a|, |b|, floor)`. Symmetric; true for equal numbers, false if either is
/// NaN, and an infinity is close only to itself. The floor keeps noise around zero from failing a
/// relative test.
///
/// - Parameters:
///   - a: One number.
///   - b: The other.
///   - tolerance: The relative tolerance; the default is about half the digits of `Double`.
///   - floor: The magnitude below which the difference counts as absolute.
/// - Returns: True if they agree.
public func isClose(
  _ a: Double, _ b: Double, tolerance: Double = 1.5e-8, floor: Double = 1
) -> Bool {
  if a == b { return true }
  guard a.isFinite, b.isFinite else { return false }
  return abs(a - b) <= tolerance * max(abs(a), abs(b), floor)
}
