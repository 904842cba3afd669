package import CPUBackend
public import Communication
import DataParallel
package import Execution
import Glibc
public import Models
import Optimizers
import Tensors
public import Training

/// The time of training steps beside the time of the library calls that they cannot do without.
public struct StepBench: Sendable {
  /// Settings of a measurement.
  public struct Options: Sendable {
    /// Measures steps in free order too, in turn with the others.
    public var comparesFreeOrder = false
    /// Measures the floor too, in turn with the steps.
    public var measuresFloor = true
    /// Records some steps call by call, after the measurement.
    public var isProfiled = false
    /// The file into which root writes a trace of some steps of all workers
    /// (``writeTrace(of:to:communicator:)``); nil for none.
    public var tracePath: String?
    /// The number of times that steps and floor are measured.
    public var rounds = 15
    /// The number of steps each time; nil for as many as take 0.2 s.
    public var stepsPerRound: Int?

    /// Creates the settings of steps beside their floor.
    public init() {}

    fileprivate var isRecorded: Bool { isProfiled || tracePath != nil }
  }

  /// The median time of a step, everything included.
  public let step: Duration
  /// The least and the largest time of a step.
  public let range: (least: Duration, largest: Duration)
  /// The median and the least time of the bare matrix products and convolutions of a step with one
  /// microbatch and of one pass of momentum, on one core (``StepFloor``); nil if it was not asked for.
  public let floor: (median: Duration, least: Duration)?
  /// The microbatches of a step.
  public let microbatches: Int
  /// The threads of this rank.
  public let workers: Int
  /// The largest memory that the process used for steps, before the floor took its own; in bytes.
  public let peakByteCount: Int
  /// The number of elements of all parameters.
  public let parameterCount: Int
  /// The median time of a step whose gradients are added by MPI_Allreduce in its own order, with one
  /// microbatch and one worker per rank; nil if it was not asked for.
  public let freeOrderStep: Duration?
  /// The time of each phase and call of a step; nil if it was not asked for.
  public let profile: StepProfile?
  /// The mean time of a step in an uninterrupted row of them, the median over the rows.
  ///
  /// Differs from ``step`` if ranks share cores.
  public let stepInARow: Duration

  /// Measures steps on random rows in memory.
  ///
  /// The floor is measured between the steps, so that both see the machine at the same speed.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: The model.
  ///   - targets: The targets of the random rows.
  ///   - configuration: Batch size, microbatches and optimizer.
  ///   - options: The measurement.
  ///   - communicator: The ranks.
  /// - Returns: The times.
  /// - Throws: `PlanError`, `OneDNNError` as agreed failures; `CommunicationError`.
  public static func measure(
    _ network: Network, targets: Network.Targets, configuration: RunConfiguration,
    options: Options = Options(), communicator: any Communicator
  ) throws -> StepBench {
    try communicator.agreeingOnFailure {
      try configuration.requirePrecision()
      if let path = options.tracePath { try TraceRequest(path: path, stepCount: 1).validate() }
    }
    let (settings, seed) = (settings(network, configuration, options), configuration.seed)
    let steps = try BenchSteps(
      network, targets: targets, settings: settings, backend: configuration.backend,
      communicator: communicator)
    let free =
      options.comparesFreeOrder
      ? try BenchSteps(
        network, targets: targets,
        settings: freeOrderSettings(configuration, rankCount: communicator.size),
        backend: configuration.backend, communicator: communicator) : nil
    let clock = ContinuousClock()
    // The first steps touch the memory for the first time.
    for _ in 0..<3 { try steps.step() }
    let once = try clock.measure { for _ in 0..<5 { try steps.step() } } / 5
    let peakByteCount = StepBench.peakByteCount
    let floor = try communicator.agreeingOnFailure {
      communicator.isRoot && options.measuresFloor
        ? try stepFloor(network, batchSize: settings.batchSize, seed: seed) : nil
    }
    let length = try options.agreedLength(stepTime: once, communicator)
    let times = try StepTimes(length, steps, free: free, floor: floor)
    let profile =
      options.isRecorded
      ? try steps.profile(
        stepCount: min(length.stepsPerRound, 20), tracePath: options.tracePath,
        communicator: communicator) : nil
    return StepBench(
      step: median(times.steps), range: (times.steps.min() ?? .zero, times.steps.max() ?? .zero),
      floor: times.floors.min().map { (median(times.floors), $0) },
      microbatches: settings.microbatches, workers: settings.workers, peakByteCount: peakByteCount,
      parameterCount: network.parameterLayout.elementCount,
      freeOrderStep: times.freeSteps.isEmpty ? nil : median(times.freeSteps),
      profile: options.isProfiled ? profile : nil, stepInARow: median(times.rounds))
  }

  private static func settings(
    _ network: Network, _ configuration: RunConfiguration, _ options: Options
  ) -> BenchSteps.Settings {
    let batchSize = configuration.batchSize
    var settings = BenchSteps.Settings(
      optimizer: configuration.optimizer, batchSize: batchSize,
      microbatches: configuration.microbatches
        ?? defaultMicrobatches(for: network, batchSize: batchSize, rowCount: batchSize))
    settings.workers = configuration.workers ?? 1
    settings.isSharded = configuration.isSharded
    settings.sharedMemoryLimit = configuration.sharedMemoryLimit
    settings.seed = configuration.seed
    settings.precision = configuration.precision.operands
    settings.groupSize = configuration.groupSize
    settings.timelineCapacity = options.isRecorded ? 1 << 18 : 0
    return settings
  }

  private static func freeOrderSettings(
    _ configuration: RunConfiguration, rankCount: Int
  ) -> BenchSteps.Settings {
    var settings = BenchSteps.Settings(
      optimizer: configuration.optimizer, batchSize: configuration.batchSize,
      microbatches: rankCount)
    settings.isSharded = false
    settings.seed = configuration.seed
    return settings
  }

  /// The largest memory that this process has used, in bytes.
  private static var peakByteCount: Int {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }
}

/// The number of rounds of a measurement and of the steps in each.
private struct BenchLength {
  let rounds: Int
  let stepsPerRound: Int
}

extension StepBench.Options {
  /// Chooses a length that suits the slowest rank.
  ///
  /// Collective.
  fileprivate func agreedLength(
    stepTime: Duration, _ communicator: any Communicator
  ) throws(CommunicationError) -> BenchLength {
    let stepsPerRound = stepsPerRound ?? max(3, min(200, Int(0.2 / stepTime.seconds)))
    // Steps of whole seconds are not measured for minutes.
    let roundCount = max(
      min(3, rounds), min(rounds, Int(30 / (stepTime.seconds * Double(stepsPerRound)))))
    var agreed = [Int64(stepsPerRound), Int64(roundCount)]
    try communicator.allreduce(&agreed, .min)
    return BenchLength(rounds: Int(agreed[1]), stepsPerRound: Int(agreed[0]))
  }
}

/// The times of steps, of steps in free order and of the floor, measured in turn.
private struct StepTimes {
  private(set) var steps: [Duration] = []
  /// The mean time of a step in each round.
  private(set) var rounds: [Duration] = []
  private(set) var freeSteps: [Duration] = []
  private(set) var floors: [Duration] = []

  init(
    _ length: BenchLength, _ bench: BenchSteps, free: BenchSteps?, floor: StepFloor?
  ) throws {
    let clock = ContinuousClock()
    for _ in 0..<length.rounds {
      let round = try clock.measure {
        for _ in 0..<length.stepsPerRound {
          steps.append(try clock.measure { try bench.step() })
        }
      }
      rounds.append(round / length.stepsPerRound)
      if let free {
        for _ in 0..<length.stepsPerRound {
          freeSteps.append(try clock.measure { try free.stepInFreeOrder() })
        }
      }
      // One rank alone, while the others sleep: its cores are theirs.
      floors += floor?.measure(passes: length.stepsPerRound) ?? []
      bench.replica.group.barrier()
    }
  }
}

/// Returns the upper median of some times, of which there is at least one.
func median(_ times: [Duration]) -> Duration { times.sorted()[times.count / 2] }

/// Returns the floor of a network, whose parameters have their initial values.
package func stepFloor(
  _ network: Network, batchSize: Int, seed: UInt64
) throws(PlanError) -> StepFloor {
  let parameters = FloatBuffer(count: network.layout.count)
  network.writeInitialValues(into: parameters, seed: seed)
  let arrays = zip(network.trainableParameters, network.gradients).compactMap {
    (parameter, gradient) in
    network.layout[parameter.name].map {
      StepFloor.LearnedArray(parameter: parameter.node, gradient: gradient, range: $0)
    }
  }
  return try StepFloor(network.graph, batchSize: batchSize, arrays: arrays, parameters: parameters)
}
