package import Optimizers
package import Tensors

/// The arrays of a replica's flat vectors: parameters, then states, and the update of each.
package struct ReplicaLayout {
  /// The range of each parameter, then of each state.
  let arrays: FlatLayout
  /// The part with the parameters.
  let parameters: FlatLayout
  /// The part with the states.
  let states: FlatLayout
  /// The update of each range of elements.
  let ranges: UpdateRanges

  /// Describes flat vectors.
  ///
  /// - Parameters:
  ///   - arrays: The range of each parameter, then of each state.
  ///   - stateCount: The number of states at the end.
  ///   - ranges: The update of each range of elements.
  package init(_ arrays: FlatLayout, stateCount: Int = 0, ranges: UpdateRanges) {
    self.arrays = arrays
    let parameterCount = arrays.ranges.count - stateCount
    parameters = arrays[..<parameterCount]
    states = arrays[parameterCount...]
    self.ranges = ranges
  }
}
