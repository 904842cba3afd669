import Checkpoints
package import Optimizers

/// The course of a run's evaluations; the same on all ranks, and part of a checkpoint.
///
/// Only evaluations that are due count, not one made because the run ends: a run that gets more epochs later
/// is the same as one that had them from the beginning.
package struct Progress: Codable, Equatable {
  /// The best value so far and the evaluations since.
  package struct Watch: Codable, Equatable {
    package var best: Double?
    package var count = 0

    /// Records a value: a new best, or one more evaluation without.
    mutating func note(_ value: Double, isBetter: (Double, Double) -> Bool) {
      if best.map({ isBetter(value, $0) }) ?? true {
        (best, count) = (value, 0)
      } else {
        count += 1
      }
    }
  }

  /// The factor of the learning rate that evaluations have led to.
  package var rateFactor = 1.0
  package var plateau = Watch()
  package var stopping = Watch()
  /// True once evaluations have ended the run early.
  package var isStopped = false

  /// Starts before the first evaluation.
  package init() {}

  /// Records an evaluation of the first split.
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
  /// The state in a checkpoint, without quantities that were never watched.
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
  /// Returns the reason for an early end, in one line.
  func reason(_ progress: Progress, step: Int, split: String) -> String {
    let verb = quantity == .loss ? "fallen" : "risen"
    let change = minimumChange > 0 ? " by more than \(minimumChange)" : ""
    let evaluations = patience == 1 ? "1 evaluation" : "\(patience) evaluations"
    return
      "stopped early after step \(step): \(quantity.rawValue) on \(split) has not \(verb)\(change) "
      + "in \(evaluations)" + (progress.stopping.best.map { "; its best is \($0)" } ?? "")
  }
}

extension WatchedQuantity {
  /// Returns the watched value of an evaluation.
  func value(of evaluation: Evaluation) -> Double {
    switch self {
    case .loss: evaluation.loss
    // Configurations that watch it are refused without labels.
    case .accuracy: evaluation.accuracy ?? 0
    }
  }
}
