/// Where the time of a run went, on this rank.
public struct Timing: Sendable {
  /// What a stretch of time was for.
  public enum Phase: Int, CaseIterable, Sendable {
    /// Reading rows, forward and backward passes, and sums within the rank.
    case compute
    /// Sums over ranks, waiting for them included.
    case reduction
    /// The update of the parameters.
    case optimizer
    /// Evaluation of the splits.
    case evaluation
    /// Checkpoints.
    case saving
    /// Everything else.
    case other

    /// The word in records and summaries.
    public var word: String { "\(self)" }
  }

  private var totals: InlineTotals = .init()
  private var last: ContinuousClock.Instant = .now
  /// The rows that were trained on.
  public internal(set) var rowCount = 0

  /// Starts the clock.
  mutating func begin() { last = .now }

  /// Counts the time since the last call as spent on `phase`.
  mutating func end(_ phase: Phase) {
    let now = ContinuousClock.now
    totals[phase] += last.duration(to: now)
    last = now
  }

  /// The time spent on a phase.
  public subscript(phase: Phase) -> Duration { totals[phase] }

  /// The time spent on all phases.
  public var total: Duration { Phase.allCases.reduce(.zero) { $0 + self[$1] } }

  /// The time of training alone: computing, summing, updating.
  public var training: Duration { self[.compute] + self[.reduction] + self[.optimizer] }

  /// One duration per phase, without an allocation.
  private struct InlineTotals: Sendable {
    private var compute = Duration.zero
    private var reduction = Duration.zero
    private var optimizer = Duration.zero
    private var evaluation = Duration.zero
    private var saving = Duration.zero
    private var other = Duration.zero

    subscript(phase: Phase) -> Duration {
      get {
        switch phase {
        case .compute: compute
        case .reduction: reduction
        case .optimizer: optimizer
        case .evaluation: evaluation
        case .saving: saving
        case .other: other
        }
      }
      set {
        switch phase {
        case .compute: compute = newValue
        case .reduction: reduction = newValue
        case .optimizer: optimizer = newValue
        case .evaluation: evaluation = newValue
        case .saving: saving = newValue
        case .other: other = newValue
        }
      }
    }
  }
}

extension Duration {
  /// The duration in seconds.
  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
