// The seam between the optimizer, which knows no rule by name, and rules, which know no ranges or passes.
public import Execution
public import Numerics

/// A formula that changes parameters from their gradient, with the numbers that it needs.
///
/// A rule is one file: its formula, the state that it carries from step to step, and the keys by which a configuration
/// names it (``RuleKind``).
public protocol UpdateRule: Hashable, Sendable {
  /// The names of the vectors that the rule carries from step to step, zeros before the first.
  var slotNames: [String] { get }
  /// The factor of the decay, λ.
  var weightDecay: Double { get }

  /// Changes parameters and the state of the rule.
  ///
  /// Several threads call at once, for different elements. An element's result depends on the elements of the same index
  /// alone.
  ///
  /// - Parameters:
  ///   - elements: The elements, with one slot per name.
  ///   - step: The number of the step, from 1.
  ///   - factors: The numbers that all rules have in common; the decay is 0 for parameters without it.
  ///   - arithmetic: The arithmetic on the elements.
  /// - Complexity: O(elements); no allocation.
  func change(
    _ elements: UpdatedElements, step: Int, _ factors: UpdateFactors,
    by arithmetic: any FlatArithmetic)
}

/// A rule that multiplies the step size of each parameter by a trust ratio, made of norms.
///
/// The norms are those of the gradient and of the parameter, unless it is a ``DirectionRule``.
public protocol TrustRatioRule: UpdateRule {
  /// Computes the factor of a parameter's step size.
  ///
  /// - Parameters:
  ///   - update: The norm of the mean gradient, after clipping, or of the rule's direction.
  ///   - parameters: The norm of the parameter.
  ///   - weightDecay: The factor of the decay; 0 for a parameter without it.
  /// - Returns: The trust ratio.
  func trustRatio(update: Double, parameters: Double, weightDecay: Double) -> Double
}

/// A rule with trust ratios of the norm of its direction instead of the gradient's.
public protocol DirectionRule: TrustRatioRule {
  /// Advances the state of the rule over a part of one block; ``UpdateRule/change(_:step:_:by:)`` then leaves it alone.
  ///
  /// - Parameters:
  ///   - elements: The elements.
  ///   - step: The number of the step, from 1.
  ///   - factors: The numbers that all rules have in common; the learning rate has no part.
  ///   - arithmetic: The arithmetic on the elements.
  /// - Returns: The sums of squares of the direction and of the parameters.
  func advance(
    _ elements: UpdatedElements, step: Int, _ factors: UpdateFactors,
    by arithmetic: any FlatArithmetic
  ) -> SquareSums
}

/// A rule of any kind; equal to another of the same kind with the same numbers.
///
/// The rules that come with the module are static members, such as ``sgd(momentum:nesterov:weightDecay:)``.
public struct OptimizerRule: Hashable, Sendable {
  /// The rule.
  public let base: any UpdateRule

  /// Wraps a rule.
  public init(_ rule: some UpdateRule) { base = rule }

  /// The names of the vectors that the rule carries from step to step.
  public var slotNames: [String] { base.slotNames }

  /// True if each parameter has a trust ratio, made of norms.
  public var usesTrustRatio: Bool { base is any TrustRatioRule }

  /// The factor of the decay, λ.
  public var weightDecay: Double { base.weightDecay }

  /// Returns true if both are of one kind and have the same numbers.
  public static func == (lhs: OptimizerRule, rhs: OptimizerRule) -> Bool {
    AnyHashable(lhs.base) == AnyHashable(rhs.base)
  }

  /// Hashes the kind and the numbers.
  public func hash(into hasher: inout Hasher) { hasher.combine(AnyHashable(base)) }
}
