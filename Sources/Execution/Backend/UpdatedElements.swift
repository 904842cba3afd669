// The memory that an update works on.
public import Tensors

/// A range of elements that one step of an optimizer changes: parameters, their gradient and the rule's state.
public struct UpdatedElements {
  /// The number of elements.
  public let count: Int
  /// The first parameter.
  public let parameters: UnsafeMutablePointer<Float>
  /// The sum of gradients of the first element.
  public let gradient: UnsafePointer<Float>
  private let slots: [FloatBuffer]
  private let start: Int

  /// Takes a range of flat vectors.
  ///
  /// - Parameters:
  ///   - elements: The range.
  ///   - parameters: The flat parameters.
  ///   - gradient: The sum of gradients, of element i at index i.
  ///   - slots: The state of the rule, one flat vector per slot.
  public init(
    _ elements: Range<Int>, parameters: FloatBuffer, gradient: UnsafePointer<Float>,
    slots: [FloatBuffer]
  ) {
    count = elements.count
    start = elements.lowerBound
    self.parameters = parameters.pointer + start
    self.gradient = gradient + start
    self.slots = slots
  }

  /// The first element of the state in a slot.
  public func slot(_ index: Int) -> UnsafeMutablePointer<Float> { slots[index].pointer + start }
}
