package import Communication
import DataParallel
package import Execution
package import Models
package import Optimizers
package import Tensors
import Training

/// Whole training steps on random rows in memory: microbatches, sum, and optimizer.
package final class BenchSteps {
  /// Settings of the steps; the defaults are those of a run on one worker.
  package struct Settings {
    package var optimizer: OptimizerSettings
    /// The rows of a step, over all ranks.
    package var batchSize: Int
    package var microbatches: Int
    /// The threads of this rank.
    package var workers = 1
    package var isSharded = true
    /// The most ranks of a host that share memory; nil for all.
    package var sharedMemoryLimit: Int?
    package var seed: UInt64 = 1
    package var precision = OperandPrecision.float
    /// The most microbatches that a worker computes at once, a power of two; nil to choose.
    package var groupSize: Int?
    /// The stretches of time that can be noted of each worker; the same on all ranks.
    package var timelineCapacity = 0

    /// Creates the settings of steps on one worker.
    package init(optimizer: OptimizerSettings, batchSize: Int, microbatches: Int) {
      self.optimizer = optimizer
      self.batchSize = batchSize
      self.microbatches = microbatches
    }
  }

  private let engine: StepEngine
  let replica: Replica
  private let rows: RandomRows
  private let batchSize: Int
  private var stepCount = 0

  /// Compiles everything.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: The model.
  ///   - targets: The targets of the random rows.
  ///   - settings: The work of a step and who does it.
  ///   - backend: The backend that computes.
  ///   - communicator: The ranks.
  /// - Throws: `PlanError` as an agreed failure, `CommunicationError`.
  package init(
    _ network: Network, targets: Network.Targets, settings: Settings, backend: any Backend,
    communicator: any Communicator
  ) throws {
    replica = try Replica(
      ReplicaLayout(
        network.layout, stateCount: network.states.count,
        ranges: UpdateRanges(network, settings.optimizer)),
      settings.optimizer, isSharded: settings.isSharded,
      group: RankGroup(communicator, limit: settings.sharedMemoryLimit),
      arithmetic: backend.arithmetic, communicator: communicator)
    if replica.isWriter {
      network.writeInitialValues(into: replica.parameters, seed: settings.seed)
    }
    replica.group.barrier()
    replica.beginAverage()
    var stepSettings = StepSettings(
      rowCounts: [settings.batchSize], microbatches: settings.microbatches,
      workers: settings.workers, seed: settings.seed)
    stepSettings.precision = settings.precision
    stepSettings.groupSize = settings.groupSize
    stepSettings.timelineCapacity = settings.timelineCapacity
    engine = try StepEngine(
      network, stepSettings, replica: replica, backend: backend, stopwatch: Stopwatch(),
      communicator: communicator)
    rows = RandomRows(
      4 * settings.batchSize, sampleShape: network.sampleShape, targets: targets,
      classCount: network.outputCount, wholeNumbers: network.wholeNumbers)
    batchSize = settings.batchSize
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

  /// Takes some steps and records their phases and calls.
  ///
  /// Collective.
  func profile(
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
      engine.timelines[0], engine.callLists[0], stepCount: stepCount, wall: wall)
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
