// The work of one worker, carried out with values of any kind in place of gradients.

import DataParallel
import Execution

/// The slots of a worker, and the sums that they hold.
struct WorkTrace<Value> {
  /// The sums that are there.
  private(set) var slots: [Int: Value] = [:]
  /// The microbatches that were computed, in order.
  private(set) var computed: [Int] = []
  private let term: (Int) -> Value
  private let add: (Value, Value) -> Value

  /// Starts without sums.
  ///
  /// - Parameters:
  ///   - term: Returns the value of a microbatch.
  ///   - add: Returns the sum of two values, left plus right.
  init(term: @escaping (Int) -> Value, add: @escaping (Value, Value) -> Value) {
    self.term = term
    self.add = add
  }

  /// Carries out the work of groups; returns what is wrong with it.
  mutating func run(_ groups: [StepLayout.Group]) -> String? {
    for group in groups {
      for (sum, slot) in zip(group.shape.sums, group.slots) {
        let microbatches = group.microbatches[sum.microbatches]
        if let held = slots[slot] {
          return
            "the sum of microbatches \(microbatches) is computed into slot \(slot), which holds \(held)"
        }
        var values: [Value] = []
        for (microbatch, additions) in zip(microbatches, sum.additions) {
          computed.append(microbatch)
          values.append(term(microbatch))
          for _ in 0..<additions {
            let right = values.removeLast()
            values.append(add(values.removeLast(), right))
          }
        }
        slots[slot] = values[0]
      }
      for addition in group.additions {
        guard let target = slots[addition.target], let source = slots[addition.source] else {
          return "slot \(addition.source) is added to slot \(addition.target), one of them empty"
        }
        guard addition.target != addition.source else {
          return "the sum in slot \(addition.source) is added to itself"
        }
        slots[addition.target] = add(target, source)
        slots[addition.source] = nil
      }
    }
    return nil
  }
}
