package import CPUBackend
public import Communication
import DataParallel
package import Execution
import Glibc
public import Models
package import Optimizers
package import Tensors
public import Training

/// The time of training steps beside the time of what they cannot do without.
public struct StepBench: Sendable {
  /// The median time of a step, everything included.
  public let step: Duration
  /// The least and the largest time of a step.
  public let range: (least: Duration, largest: Duration)
  /// The median and the least time of the bare matrix products and convolutions of a step with one
  /// microbatch and of one pass of momentum, on one core (``StepFloor``); nil where this was not asked for.
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
  /// microbatch and one worker per rank; nil where this was not asked for.
  public let freeOrderStep: Duration?

  /// Where the time of a step goes; nil where this was not asked for.
  public let profile: StepProfile?

  /// The time of a step in a row of them, which for ranks that share cores is another than that of a step
  /// as one rank sees it; the median over the rows.
  public let stepInARow: Duration

  /// Measures steps on random rows in memory.
  ///
  /// The floor is measured between the steps, so that both see the machine at the same speed.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: What is trained.
  ///   - targets: What rows are compared with.
  ///   - configuration: Batch size, microbatches and optimiser.
  ///   - comparesFreeOrder: Whether to measure steps in free order too, in turn with the others.
  ///   - measuresFloor: Whether to measure the floor too, in turn with the others.
  ///   - isProfiled: Whether to look at some steps call by call, after the measurement.
  ///   - tracePath: Where root writes what all workers of all ranks did in some steps
  ///     (``writeTrace(of:to:communicator:)``); nil for nowhere.
  ///   - rounds: The number of times that steps and floor are measured.
  ///   - stepsPerRound: The number of steps each time; nil for what takes 0.2 s.
  ///   - communicator: The ranks.
  /// - Returns: The times.
  /// - Throws: `PlanError`, `OneDNNError` as agreed failures; `CommunicationError`.
  public static func measure(
    _ network: Network, targets: Network.Targets, configuration: RunConfiguration,
    comparesFreeOrder: Bool = false, measuresFloor: Bool = true, isProfiled: Bool = false,
    tracePath: String? = nil,
    rounds: Int = 15, stepsPerRound: Int? = nil, communicator: any Communicator
  ) throws -> StepBench {
    try communicator.agreeingOnFailure {
      try configuration.requirePrecision()
      if let tracePath { try TraceRequest(path: tracePath, stepCount: 1).validate() }
    }
    let batchSize = configuration.batchSize
    let microbatches =
      configuration.microbatches
      ?? defaultMicrobatches(for: network, batchSize: batchSize, rowCount: batchSize)
    let workers = configuration.workers ?? 1
    let steps = try BenchSteps(
      network, targets: targets, optimizer: configuration.optimizer,
      batchSize: batchSize, microbatches: microbatches, workers: workers,
      isSharded: configuration.isSharded,
      sharedMemoryLimit: configuration.sharedMemoryLimit, seed: configuration.seed,
      backend: configuration.backend, precision: configuration.precision.operands,
      timelineCapacity: isProfiled || tracePath != nil ? 1 << 18 : 0, communicator: communicator)
    let free =
      comparesFreeOrder
      ? try BenchSteps(
        network, targets: targets, optimizer: configuration.optimizer,
        batchSize: batchSize, microbatches: communicator.size, isSharded: false,
        seed: configuration.seed, backend: configuration.backend,
        communicator: communicator) : nil
    let clock = ContinuousClock()
    // The first steps touch the memory for the first time.
    for _ in 0..<3 { try steps.step() }
    let once = try clock.measure { for _ in 0..<5 { try steps.step() } } / 5
    let peakByteCount = StepBench.peakByteCount
    let floor = try communicator.agreeingOnFailure {
      communicator.isRoot && measuresFloor
        ? try stepFloor(network, batchSize: batchSize, seed: configuration.seed) : nil
    }
    let stepsPerRound = stepsPerRound ?? max(3, min(200, Int(0.2 / once.seconds)))
    // All ranks take as many steps as the slowest can.
    // Steps of whole seconds are not measured for minutes.
    let roundCount = max(
      min(3, rounds), min(rounds, Int(30 / (once.seconds * Double(stepsPerRound)))))
    var agreed = [Int64(stepsPerRound), Int64(roundCount)]
    try communicator.allreduce(&agreed, .min)
    var times: [Duration] = []
    var roundTimes: [Duration] = []
    var floors: [Duration] = []
    var freeTimes: [Duration] = []
    for _ in 0..<agreed[1] {
      let round = try clock.measure {
        for _ in 0..<agreed[0] { times.append(try clock.measure { try steps.step() }) }
      }
      roundTimes.append(round / Int(agreed[0]))
      if let free {
        for _ in 0..<agreed[0] {
          freeTimes.append(try clock.measure { try free.stepInFreeOrder() })
        }
      }
      // One rank alone, while the others sleep: its cores are theirs.
      floors += floor?.measure(passes: Int(agreed[0])) ?? []
      steps.replica.group.barrier()
    }
    var profile: StepProfile?
    if isProfiled || tracePath != nil {
      profile = try steps.profile(
        stepCount: Int(min(agreed[0], 20)), tracePath: tracePath, communicator: communicator)
    }
    times.sort()
    roundTimes.sort()
    floors.sort()
    freeTimes.sort()
    return StepBench(
      step: times[times.count / 2], range: (times[0], times[times.count - 1]),
      floor: floors.isEmpty ? nil : (floors[floors.count / 2], floors[0]),
      microbatches: microbatches, workers: workers, peakByteCount: peakByteCount,
      parameterCount: network.parameterLayout.elementCount,
      freeOrderStep: freeTimes.isEmpty ? nil : freeTimes[freeTimes.count / 2],
      profile: isProfiled ? profile : nil,
      stepInARow: roundTimes[roundTimes.count / 2])
  }
}

/// The floor of a network, whose parameters have their initial values.
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

extension StepBench {
  /// The largest memory that this process has used, in bytes.
  private static var peakByteCount: Int {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }
}

/// Whole training steps on random rows in memory: microbatches, sum, and optimiser.
package final class BenchSteps {
  private let engine: StepEngine
  fileprivate let replica: Replica
  private let rows: RandomRows
  private let batchSize: Int
  private var stepCount = 0

  /// Compiles everything.
  ///
  /// Collective.
  package init(
    _ network: Network, targets: Network.Targets, optimizer: OptimizerSettings,
    batchSize: Int, microbatches: Int, workers: Int = 1, isSharded: Bool = true,
    sharedMemoryLimit: Int? = nil, seed: UInt64, backend: any Backend,
    precision: OperandPrecision = .float, timelineCapacity: Int = 0,
    communicator: any Communicator
  ) throws {
    replica = try Replica(
      ReplicaLayout(
        network.layout, stateCount: network.states.count,
        ranges: UpdateRanges(network, optimizer)), optimizer, isSharded: isSharded,
      group: RankGroup(communicator, limit: sharedMemoryLimit), arithmetic: backend.arithmetic,
      communicator: communicator)
    if replica.isWriter { network.writeInitialValues(into: replica.parameters, seed: seed) }
    replica.group.barrier()
    replica.beginAverage()
    var settings = StepSettings(
      rowCounts: [batchSize], microbatches: microbatches, workers: workers, seed: seed)
    settings.precision = precision
    settings.timelineCapacity = timelineCapacity
    engine = try StepEngine(
      network, settings, replica: replica, backend: backend, stopwatch: Stopwatch(),
      communicator: communicator)
    rows = RandomRows(
      4 * batchSize, sampleShape: network.sampleShape, targets: targets,
      classCount: network.outputCount, wholeNumbers: network.wholeNumbers)
    self.batchSize = batchSize
  }

  /// Takes one step.
  ///
  /// Collective. Never inlined: `Tests/Campaigns/instructions.sh` counts instructions by its name.
  @inline(never)
  package func step() throws {
    _ = try engine.update(rowCount: batchSize, try compute())
  }

  /// Takes one step with gradients added in MPI's own order.
  ///
  /// Collective; for one worker per rank and parameters that are not sharded.
  package func stepInFreeOrder() throws {
    try engine.updateInFreeOrder(rowCount: batchSize, try compute())
  }

  /// Takes some steps and looks at where their time goes.
  ///
  /// Collective.
  fileprivate func profile(
    stepCount: Int, tracePath: String?, communicator: any Communicator
  ) throws -> StepProfile {
    // The first step after other work is not like those that follow.
    try step()
    engine.noteTimes()
    let clock = ContinuousClock()
    let wall = try clock.measure {
      for _ in 0..<stepCount {
        let start = Timeline.now
        try step()
        engine.timelines[0].add(.step(self.stepCount), from: start, to: Timeline.now)
      }
    }
    engine.stopNotingTimes()
    if let tracePath { try writeTrace(of: engine, to: tracePath, communicator: communicator) }
    return StepProfile(
      engine.timelines[0], engine.callLists, stepCount: stepCount, wall: wall)
  }

  private func compute() throws -> Optimizer.Step {
    let start = stepCount % 4 * batchSize
    stepCount += 1
    let outcome = try engine.computeMicrobatches(
      step: stepCount, rowCount: batchSize, of: rows, row: { start + $0 }, stopIsRequested: false,
      failure: nil)
    return Optimizer.Step(
      scale: 1 / outcome.sums.weight, number: stepCount, rowScale: 1 / Double(batchSize))
  }

  /// The parameters.
  package var parameters: FloatBuffer { replica.parameters }
}
