/// The division of a value among the microbatches of a group.
public enum Spread: Hashable, Sendable {
  /// One value for all microbatches.
  case shared
  /// Rows one after another, each of so many elements: those of a microbatch are its part.
  case rows(stride: Int)
  /// One value for each microbatch, so many elements apart.
  case copies(stride: Int)
}

extension MicrobatchGroup {
  /// Returns the part of a value that belongs to one microbatch.
  ///
  /// - Parameters:
  ///   - value: A value of a schedule for this group.
  ///   - microbatch: The position of the microbatch in the group.
  /// - Returns: The value where the microbatch has it; its rows are those of the microbatch.
  public func part(of value: Value, _ microbatch: Int) -> Value {
    let offset =
      switch value.spread {
      case .shared: 0
      case .rows(let stride): rows[microbatch].lowerBound * stride
      case .copies(let stride): microbatch * stride
      }
    let location = value.location
    return Value(Location(location.region, location.offset + offset), value.shape)
  }

  /// Returns a step as it is computed for one microbatch alone.
  public func part(of step: Step, _ microbatch: Int) -> Step {
    func parts(_ values: [Value]) -> [Value] { values.map { part(of: $0, microbatch) } }
    var action = step.action
    if case .chain(let chain) = action {
      action = .chain(chain.replacingPlaces { part(of: $0, microbatch) })
    }
    return Step(
      label: step.label, action: action, operands: parts(step.operands),
      results: parts(step.results), rows: step.rows, scope: step.scope)
  }
}
