public import DataParallel

/// The time of a step by phase and by call, as the first worker of a rank sees it.
///
/// Phases follow one another without gaps, so that they add up to the wall time. Calls lie within forward and
/// backward; the rest of a phase is its own work: sums over rows and of gradients.
public struct StepProfile: Sendable {
  /// A call of a plan, of all groups of microbatches of the step.
  public struct Call: Sendable {
    /// The computation.
    public let label: String
    /// Forward or backward.
    public let phase: Timing.Phase
    /// Its time in a step.
    public let time: Duration
    /// The number of times it is made in a step.
    public let count: Double
  }

  /// The number of recorded steps.
  public let stepCount: Int
  /// The wall time of a step, with the clock read after every call.
  public let step: Duration
  /// The time of each phase in a step.
  public let phases: [(phase: Timing.Phase, time: Duration)]
  /// The calls, in order.
  public let calls: [Call]

  /// The sum over the phases.
  public var total: Duration { phases.reduce(.zero) { $0 + $1.time } }

  /// Adds up the activities of a thread in some steps.
  ///
  /// - Parameters:
  ///   - timeline: The activities.
  ///   - lists: The calls of plans.
  ///   - stepCount: The number of steps.
  ///   - wall: The wall time of all of them.
  init(_ timeline: Timeline, _ lists: [CallList], stepCount: Int, wall: Duration) {
    var phases = Array(repeating: Int64(0), count: Timing.Phase.allCases.count)
    // Groups of other sizes make the same calls.
    var sums: [CallKey: (time: Int64, count: Int)] = [:]
    for index in 0..<timeline.count {
      let event = timeline[index]
      let time = event.end - event.start
      switch event.activity {
      case .phase(let phase): phases[phase.rawValue] += time
      case .call(let call, let number):
        let list = lists[Int(number)]
        let key = CallKey(
          index: Int(call), label: list.labels[Int(call)],
          isForward: Int(call) < list.forwardCount)
        let sum = sums[key] ?? (0, 0)
        sums[key] = (sum.time + time, sum.count + 1)
      case .step: break
      }
    }
    self.stepCount = stepCount
    step = wall / stepCount
    self.phases = Timing.Phase.allCases.map {
      ($0, .nanoseconds(phases[$0.rawValue]) / stepCount)
    }
    calls = sums.sorted { ($0.key.index, $0.key.label) < ($1.key.index, $1.key.label) }.map {
      Call(
        label: $0.key.label, phase: $0.key.isForward ? .forward : .backward,
        time: .nanoseconds($0.value.time) / stepCount,
        count: Double($0.value.count) / Double(stepCount))
    }
  }

  private struct CallKey: Hashable {
    let index: Int
    let label: String
    let isForward: Bool
  }
}
