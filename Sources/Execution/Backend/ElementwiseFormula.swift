// Updates that no backend has a function of its own for.
public import Numerics

/// A short list of elementwise steps that change parameters and the state of a rule.
///
/// It is what a rule with a formula of its own brings: every backend runs it, an element at a time or in blocks, with the
/// same result as the steps one after another. The numbers of a step of training are no part of it, so that it is
/// made once; ``FlatArithmetic/update(_:by:_:)`` gets them each time.
public struct ElementwiseFormula: Sendable {
  /// The place of an operand or a result.
  public enum Place: Hashable, Sendable {
    /// The parameters.
    case parameters
    /// The sum of gradients, which is only read.
    case gradient
    /// A vector of the rule's state.
    case slot(Int)
    /// A number, the same for all elements, which is only read.
    case number(Number)
    /// An intermediate result: registers are numbered from 0.
    case register(Int)
  }

  /// A number that a step of training provides.
  public enum Number: Hashable, Sendable {
    /// The factors that every rule has.
    case learningRate, weightDecay, l1, gradientScale
    /// The rule's own, in the order of ``Numbers/own``.
    case own(Int)
  }

  /// The numbers of one step of training.
  public struct Numbers: Sendable {
    /// The factors that every rule has.
    public let factors: UpdateFactors
    /// The numbers that only this rule has; unused ones are 0.
    public let own: SIMD8<Double>

    /// Creates the numbers of a step.
    public init(_ factors: UpdateFactors, own: SIMD8<Double> = .zero) {
      self.factors = factors
      self.own = own
    }

    /// The value of a number.
    public subscript(_ number: Number) -> Double {
      switch number {
      case .learningRate: factors.learningRate
      case .weightDecay: factors.weightDecay
      case .l1: factors.l1
      case .gradientScale: factors.gradientScale
      case .own(let index): own[index]
      }
    }
  }

  /// A function of one or two operands.
  public enum Function: Hashable, Sendable {
    /// `a + b`, `a − b`, `a·b`, `a / b` and the larger of `a` and `b`.
    case add, subtract, multiply, divide, maximum
    /// `√a`, `|a|` and the sign of `a`, 0 for 0.
    case squareRoot, absolute, sign
  }

  /// One function, applied to every element.
  public struct Step: Hashable, Sendable {
    /// The function.
    public let function: Function
    /// The first operand.
    public let a: Place
    /// The second operand; the first again for a function of one.
    public let b: Place
    /// The place of the result, which may be that of an operand.
    public let result: Place

    /// Creates a step.
    public init(_ function: Function, _ a: Place, _ b: Place? = nil, into result: Place) {
      self.function = function
      self.a = a
      self.b = b ?? a
      self.result = result
    }
  }

  /// The most registers and different numbers of a formula, together.
  public static let placeLimit = 16

  /// The steps, in order.
  public let steps: [Step]
  /// The number of registers.
  public let registerCount: Int
  /// The number of slots.
  public let slotCount: Int
  /// The numbers that occur, each once.
  public let numbers: [Number]

  /// Creates a formula.
  ///
  /// - Parameter steps: The steps, which write to parameters, slots and registers only.
  public init(_ steps: [Step]) {
    var (registerCount, slotCount) = (0, 0)
    var numbers: [Number] = []
    for step in steps {
      for place in [step.a, step.b, step.result] {
        switch place {
        case .parameters, .gradient: break
        case .slot(let index): slotCount = max(slotCount, index + 1)
        case .register(let index): registerCount = max(registerCount, index + 1)
        case .number(let number): if !numbers.contains(number) { numbers.append(number) }
        }
      }
      switch step.result {
      case .parameters, .slot, .register: break
      case .gradient, .number: preconditionFailure("\(step.result) is only read")
      }
    }
    precondition(
      registerCount + numbers.count <= ElementwiseFormula.placeLimit,
      "\(registerCount) registers and \(numbers.count) numbers")
    (self.steps, self.registerCount) = (steps, registerCount)
    (self.slotCount, self.numbers) = (slotCount, numbers)
  }

  /// Computes `scale·g + decay·p + l1·sign(p)`, the mean gradient with its penalties.
  ///
  /// - Parameters:
  ///   - result: The register of the result.
  ///   - spare: Another register, which is overwritten.
  /// - Returns: The steps.
  public static func penalizedGradient(into result: Int, spare: Int) -> [Step] {
    let (g, other) = (Place.register(result), Place.register(spare))
    return [
      Step(.multiply, .gradient, .number(.gradientScale), into: g),
      Step(.multiply, .parameters, .number(.weightDecay), into: other),
      Step(.add, g, other, into: g),
      Step(.sign, .parameters, into: other),
      Step(.multiply, other, .number(.l1), into: other),
      Step(.add, g, other, into: g),
    ]
  }
}
