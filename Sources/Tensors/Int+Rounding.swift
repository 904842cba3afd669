extension Int {
  /// Returns the smallest multiple of `unit` that is not below this number.
  ///
  /// - Parameter unit: At least 1.
  /// - Returns: ⌈self / unit⌉ · unit, for a number of 0 or more.
  @inlinable
  public func rounded(upToMultipleOf unit: Int) -> Int {
    (self + unit - 1) / unit * unit
  }
}
