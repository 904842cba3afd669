/// The time of a run by phases, on this rank.
public struct Timing: Sendable {
  /// The purpose of a stretch of time.
  public enum Phase: Int, CaseIterable, Sendable {
    /// Reading rows.
    case data
    /// Forward passes.
    case forward
    /// Backward passes, and sums within a worker.
    case backward
    /// Sums over ranks that overlap with the last microbatches.
    case hiddenReduction
    /// Sums over ranks that overlap with nothing.
    case reduction
    /// Waiting for other workers and ranks.
    case waiting
    /// The update of the parameters.
    case optimizer
    /// Evaluation of the splits.
    case evaluation
    /// Checkpoints.
    case saving
    /// Everything else.
    case other

    /// The word in records and summaries.
    public var word: String {
      switch self {
      case .hiddenReduction: "reduction_hidden"
      default: "\(self)"
      }
    }
  }

  private var totals: [Duration]
  /// The rows that were trained on.
  public package(set) var rowCount = 0

  /// Stores totals, one per phase in order.
  package init(totals: [Duration] = Phase.allCases.map { _ in .zero }) { self.totals = totals }

  /// The time spent on a phase.
  public subscript(phase: Phase) -> Duration { totals[phase.rawValue] }

  /// The time spent on all phases: the wall time.
  public var total: Duration { totals.reduce(.zero, +) }

  /// The time of training alone.
  public var training: Duration {
    total - self[.evaluation] - self[.saving] - self[.other]
  }
}

/// Records the time of one thread by phases; nothing of it is counted twice or left out.
package final class Stopwatch {
  private let totals: UnsafeMutablePointer<Int64>
  /// When the last stretch of time ended.
  private(set) var last: Int64
  /// Records each stretch of time too; nil unless a trace is wanted.
  var timeline: Timeline?

  package init() {
    totals = .allocate(capacity: Timing.Phase.allCases.count)
    totals.initialize(repeating: 0, count: Timing.Phase.allCases.count)
    last = 0
    last = now
  }

  deinit { totals.deallocate() }

  /// Nanoseconds of a clock that only goes forward.
  package var now: Int64 { Timeline.now }

  /// Starts the first stretch of time.
  package func start() { last = now }

  /// Adds the time since the last call to `phase`.
  @inline(__always)
  package func lap(_ phase: Timing.Phase) {
    let now = now
    totals[phase.rawValue] &+= now &- last
    if let timeline { timeline.add(.phase(phase), from: last, to: now) }
    last = now
  }

  /// The time counted so far.
  package var timing: Timing {
    Timing(totals: Timing.Phase.allCases.map { .nanoseconds(totals[$0.rawValue]) })
  }
}

extension Duration {
  /// The duration in seconds.
  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
