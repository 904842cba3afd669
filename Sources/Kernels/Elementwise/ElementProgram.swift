// Several elementwise operations as one pass.

/// An elementwise operation; the numbers are those of `celements_code`.
package enum ElementCode: UInt8, CaseIterable, Sendable {
  // Of one operand.
  case scale, exp, expm1, log, log1p, softplus, square, sigmoid, tanh, relu, sqrt, abs, sign, erf,
    power
  case cap
  // Of two.
  case add, subtract, multiply, divide, maximum, reluGradient, sigmoidGradient, tanhGradient
}

/// One operation of a pass: what it takes and where its result goes, as indices of ``ElementPlace``s.
package struct ElementStep: Sendable {
  package let code: ElementCode
  /// The factor of a scale, the exponent of a power, or the limit of a cap.
  package let number: Double
  package let a: Int
  /// The second operand, for an operation of one the first.
  package let b: Int
  package let c: Int

  package init(_ code: ElementCode, number: Double, a: Int, b: Int, c: Int) {
    self.code = code
    self.number = number
    self.a = a
    self.b = b
    self.c = c
  }
}

/// The place of an operand or a result of a pass.
package struct ElementPlace {
  package let pointer: UnsafeMutablePointer<Float>
  /// Indicates that each block has elements of its own; otherwise all blocks have the same.
  package let isWhole: Bool

  package init(_ pointer: UnsafeMutablePointer<Float>, isWhole: Bool) {
    self.pointer = pointer
    self.isWhole = isWhole
  }
}
