// Rules that go by evaluations: one lowers the learning rate, one ends the run.

public import Configuration

/// A result of an evaluation that a rule watches.
public enum WatchedQuantity: String, CaseIterable, Sendable {
  /// The mean loss, which is to fall.
  case loss
  /// The share of correct rows, which is to rise.
  case accuracy
}

/// A rule that reduces the learning rate when evaluations no longer improve; formula and defaults are those
/// of `torch.optim.lr_scheduler.ReduceLROnPlateau`.
public struct Plateau: Hashable, Sendable {
  /// The result that is watched, on the first split that is evaluated.
  public var quantity = WatchedQuantity.loss
  /// The factor of each change of the learning rate.
  public var factor = 0.1
  /// The evaluations in a row that may pass without improvement.
  public var patience = 10
  /// The share of the best value by which a better one must differ.
  public var threshold = 1e-4
  /// The least factor of all changes together.
  public var last = 0.0

  /// Creates the defaults.
  public init() {}

  package func isBetter(_ value: Double, than best: Double) -> Bool {
    switch quantity {
    case .loss: value < best * (1 - threshold)
    case .accuracy: value > best * (1 + threshold)
    }
  }
}

/// A rule that ends a run when evaluations no longer improve.
public struct EarlyStopping: Hashable, Sendable {
  /// The result that is watched, on the first split that is evaluated.
  public var quantity = WatchedQuantity.loss
  /// The evaluations in a row without improvement that end the run.
  public var patience: Int
  /// The amount by which a better value must differ from the best.
  public var minimumChange = 0.0

  /// Creates the usual ones.
  public init(patience: Int) { self.patience = patience }

  package func isBetter(_ value: Double, than best: Double) -> Bool {
    switch quantity {
    case .loss: value < best - minimumChange
    case .accuracy: value > best + minimumChange
    }
  }
}

extension Plateau {
  /// Reads the keys of a schedule.
  public static func read(_ section: Section) throws(ConfigurationError) -> Plateau {
    var plateau = Plateau()
    plateau.factor = try section.number(
      "factor", default: plateau.factor, in: .between(0, 1), meaning: "factor of each change")
    plateau.patience = try section.integer(
      "patience", default: plateau.patience, in: .nonNegative,
      meaning: "evaluations without improvement that may pass; one more changes it")
    plateau.threshold = try section.number(
      "threshold", default: plateau.threshold, in: .belowOne,
      meaning: "share of the best value by which a better one must differ")
    plateau.last = try section.number(
      "last", default: plateau.last, in: .between(0, 1), meaning: "least factor")
    plateau.quantity = try section.choice(
      "watch", default: plateau.quantity, meaning: watchMeaning)
    return plateau
  }
}

extension EarlyStopping {
  /// Reads the key `early_stopping`.
  public static func read(from root: Section) throws(ConfigurationError) -> EarlyStopping? {
    let section = try root.section("early_stopping", shorthand: "patience")
    let patience = try section.optionalInteger(
      "patience", in: .positive, unset: "never",
      meaning: "evaluations in a row without improvement that end the run")
    let minimumChange = try section.number(
      "minimum_change", default: 0, in: .nonNegative,
      meaning: "amount by which a better value must differ from the best")
    let quantity = try section.choice(
      "watch", default: WatchedQuantity.loss, meaning: watchMeaning)
    guard let patience else { return nil }
    var stopping = EarlyStopping(patience: patience)
    stopping.minimumChange = minimumChange
    stopping.quantity = quantity
    return stopping
  }
}

private let watchMeaning = "what is watched, on validation data or else on test data"
