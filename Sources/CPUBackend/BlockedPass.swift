import Execution
import Kernels
import Tensors

/// A chain of elementwise operations, ready to run.
final class BlockedPass {
  /// The place of an operand or a result.
  enum Place {
    /// A value with as many elements as the result.
    case whole(Location)
    /// An operand of fewer elements, which a slot is filled with before the pass.
    case repeated(Location, count: Int, slot: Int)
    /// A slot for what nothing needs after the pass.
    case slot(Int)
  }

  private let steps: UnsafeMutableBufferPointer<ElementStep>
  private let places: [Place]
  private let count: Int
  private let block: Int
  private let scratch: Location

  /// Prepares a pass.
  ///
  /// - Parameters:
  ///   - steps: The operations, which name their operands by indices of `places`.
  ///   - places: The places of operands and results.
  ///   - count: The elements of the results.
  ///   - block: The elements of a block, and of a slot.
  ///   - scratch: The slots, one after another.
  init(
    _ steps: [ElementStep], places: [Place], count: Int, block: Int, scratch: Location
  ) {
    self.steps = .allocate(capacity: steps.count)
    _ = self.steps.initialize(from: steps)
    self.places = places
    self.count = count
    self.block = block
    self.scratch = scratch
  }

  deinit { steps.deallocate() }

  /// Computes everything once.
  ///
  /// - Complexity: One pass over the operands and the results; no allocation.
  func run(_ bases: Bases) {
    withUnsafeTemporaryAllocation(of: ElementPlace.self, capacity: places.count) { found in
      for (index, position) in places.enumerated() {
        found.initializeElement(at: index, to: resolved(position, bases))
      }
      guard let start = found.baseAddress, let steps = steps.baseAddress else { return }
      ElementPass.run(
        steps, stepCount: self.steps.count, start, count: count, block: block)
    }
  }

  private func resolved(_ position: Place, _ bases: Bases) -> ElementPlace {
    switch position {
    case .whole(let location): return ElementPlace(bases[location], isWhole: true)
    case .slot(let slot): return ElementPlace(bases[scratch] + slot &* block, isWhole: false)
    case .repeated(let location, let count, let slot):
      let filled = bases[scratch] + slot &* block
      ElementPass.fill(filled, length: block, repeating: bases[location], count: count)
      return ElementPlace(filled, isWhole: false)
    }
  }
}
