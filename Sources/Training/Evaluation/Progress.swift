import Checkpoints
package import Optimizers

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
