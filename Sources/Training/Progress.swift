import Checkpoints
import Configuration

/// What of an evaluation is watched.
public enum WatchedQuantity: String, CaseIterable, Sendable {
  /// The mean loss, which is to fall.
  case loss
  /// The share of correct rows, which is to rise.
  case accuracy

  func value(of evaluation: Evaluation) -> Double {
    switch self {
    case .loss: evaluation.loss
    // Configurations that watch it are refused without labels.
    case .accuracy: evaluation.accuracy ?? 0
    }
  }
}

/// When evaluations that do not improve reduce the learning rate; formula and defaults are those of
/// `torch.optim.lr_scheduler.ReduceLROnPlateau`.
public struct Plateau: Hashable, Sendable {
  /// What is watched, on the first split that is evaluated.
  public var quantity = WatchedQuantity.loss
  /// What the learning rate is multiplied by.
  public var factor = 0.1
  /// The evaluations in a row that may pass without improvement.
  public var patience = 10
  /// The share of the best value by which a better one must differ.
  public var threshold = 1e-4
  /// The least factor that comes of it.
  public var last = 0.0

  /// Creates the defaults.
  public init() {}

  func isBetter(_ value: Double, than best: Double) -> Bool {
    switch quantity {
    case .loss: value < best * (1 - threshold)
    case .accuracy: value > best * (1 + threshold)
    }
  }
}

/// When evaluations that do not improve end a run.
public struct EarlyStopping: Hashable, Sendable {
  /// What is watched, on the first split that is evaluated.
  public var quantity = WatchedQuantity.loss
  /// The evaluations in a row without improvement that end the run.
  public var patience: Int
  /// The amount by which a better value must differ from the best.
  public var minimumChange = 0.0

  /// Creates the usual ones.
  public init(patience: Int) { self.patience = patience }

  func isBetter(_ value: Double, than best: Double) -> Bool {
    switch quantity {
    case .loss: value < best - minimumChange
    case .accuracy: value > best + minimumChange
    }
  }
}

/// What a run remembers of its evaluations; the same on all ranks, and part of a checkpoint.
///
/// Evaluations count when they are due, not when one is made because the run ends: so more epochs later
/// are as if they had been asked for from the beginning.
package struct Progress: Codable, Equatable {
  /// The best value so far and the evaluations since.
  package struct Watch: Codable, Equatable {
    package var best: Double?
    package var count = 0

    /// Takes note of a value, which is better than `best` or not.
    mutating func note(_ value: Double, isBetter: (Double, Double) -> Bool) {
      if best.map({ isBetter(value, $0) }) ?? true {
        (best, count) = (value, 0)
      } else {
        count += 1
      }
    }
  }

  /// What evaluations have made of the learning rate.
  package var rateFactor = 1.0
  package var plateau = Watch()
  package var stopping = Watch()
  /// Whether the run has ended early.
  package var isStopped = false

  /// Nothing was evaluated yet.
  package init() {}

  /// Takes note of an evaluation of the first split.
  package mutating func note(
    _ evaluation: Evaluation, _ plateau: Plateau?, _ stopping: EarlyStopping?
  ) {
    if let plateau {
      self.plateau.note(plateau.quantity.value(of: evaluation), isBetter: plateau.isBetter)
      if self.plateau.count > plateau.patience {
        rateFactor = min(rateFactor, max(rateFactor * plateau.factor, plateau.last))
        self.plateau.count = 0
      }
    }
    if let stopping {
      self.stopping.note(stopping.quantity.value(of: evaluation), isBetter: stopping.isBetter)
      isStopped = self.stopping.count >= stopping.patience
    }
  }
}

extension Progress {
  /// As state of a checkpoint; nothing of what was never watched.
  var state: [String: RunRecord.Value] {
    var state: [String: RunRecord.Value] = [:]
    for (name, watch) in [("plateau", plateau), ("stopping", stopping)] {
      guard let best = watch.best else { continue }
      state["\(name)_best"] = .number(best)
      state["\(name)_count"] = .integer(watch.count)
    }
    if plateau.best != nil { state["plateau_factor"] = .number(rateFactor) }
    if isStopped { state["stopping_is_over"] = .integer(1) }
    return state
  }

  /// Reads back the state of a checkpoint.
  init(state: [String: RunRecord.Value]) {
    func watch(_ name: String) -> Watch {
      guard case .number(let best) = state["\(name)_best"],
        case .integer(let count) = state["\(name)_count"]
      else { return Watch() }
      return Watch(best: best, count: count)
    }
    plateau = watch("plateau")
    stopping = watch("stopping")
    if case .number(let factor) = state["plateau_factor"] { rateFactor = factor }
    isStopped = state["stopping_is_over"] == .integer(1)
  }
}

extension EarlyStopping {
  /// Why a run has ended early, in one line.
  func reason(_ progress: Progress, step: Int, split: String) -> String {
    let verb = quantity == .loss ? "fallen" : "risen"
    let change = minimumChange > 0 ? " by more than \(minimumChange)" : ""
    let evaluations = patience == 1 ? "1 evaluation" : "\(patience) evaluations"
    return
      "stopped early after step \(step): \(quantity.rawValue) on \(split) has not \(verb)\(change) "
      + "in \(evaluations)" + (progress.stopping.best.map { "; its best is \($0)" } ?? "")
  }
}

extension Plateau {
  /// Reads the keys of a schedule.
  static func read(_ section: Section) throws(ConfigurationError) -> Plateau {
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
  static func read(from root: Section) throws(ConfigurationError) -> EarlyStopping? {
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
