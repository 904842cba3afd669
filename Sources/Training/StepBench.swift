public import Communication
import Graphs
import Kernels
public import Models
package import Tensors

/// The time of training steps beside the time of what they cannot do without.
public struct StepBench: Sendable {
  /// The median time of a step, everything included.
  public let step: Duration
  /// The least and the largest time of a step.
  public let range: (least: Duration, largest: Duration)
  /// The sum of the bare matrix products of a step and one pass of the optimiser.
  public let floor: Duration
  /// The microbatches of a step.
  public let microbatches: Int
  /// The threads of this rank.
  public let workers: Int
  /// The number of elements of all parameters.
  public let parameterCount: Int
  /// The median time of a step whose gradients are added by MPI_Allreduce in its own order, with one
  /// microbatch and one worker per rank; nil where this was not asked for.
  public let freeOrderStep: Duration?

  /// The time of a step in a row of them, which for ranks that share cores is another than that of a step
  /// as one rank sees it; the median over the rows.
  public let stepInARow: Duration

  /// How many times the floor a step takes.
  public var ratio: Double { step.seconds / floor.seconds }

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
  ///   - rounds: The number of times that steps and floor are measured.
  ///   - communicator: The ranks.
  /// - Returns: The times.
  /// - Throws: `PlanError`, `OneDNNError` as agreed failures; `CommunicationError`.
  public static func measure(
    _ network: Network, targets: Network.Targets, configuration: RunConfiguration,
    comparesFreeOrder: Bool = false, rounds: Int = 15, communicator: any Communicator
  ) throws -> StepBench {
    let batchSize = configuration.batchSize
    let microbatches =
      configuration.microbatches ?? defaultMicrobatches(for: network, batchSize: batchSize)
    let workers = configuration.workers ?? 1
    let steps = try BenchSteps(
      network, targets: targets, optimizer: configuration.optimizer,
      learningRate: configuration.learningRate, batchSize: batchSize, microbatches: microbatches,
      workers: workers, isSharded: configuration.isSharded,
      sharedMemoryLimit: configuration.sharedMemoryLimit, seed: configuration.seed,
      communicator: communicator)
    let free =
      comparesFreeOrder
      ? try BenchSteps(
        network, targets: targets, optimizer: configuration.optimizer,
        learningRate: configuration.learningRate, batchSize: batchSize,
        microbatches: communicator.size, isSharded: false, seed: configuration.seed,
        communicator: communicator) : nil
    let clock = ContinuousClock()
    // The first steps touch the memory for the first time.
    for _ in 0..<3 { try steps.step() }
    let once = try clock.measure { for _ in 0..<5 { try steps.step() } } / 5
    let stepsPerRound = max(3, min(200, Int(0.2 / once.seconds)))
    // All ranks take as many steps as the slowest can.
    // Steps of whole seconds are not measured for minutes.
    let roundCount = max(3, min(rounds, Int(30 / (once.seconds * Double(stepsPerRound)))))
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
      let floor = try communicator.together {
        // One rank alone, while the others sleep: its cores are theirs.
        let floor =
          communicator.isRoot ? try measureFloor(network, batchSize: batchSize) : .zero
        steps.replica.group.barrier()
        return floor
      }
      floors.append(floor)
    }
    times.sort()
    roundTimes.sort()
    floors.sort()
    freeTimes.sort()
    return StepBench(
      step: times[times.count / 2], range: (times[0], times[times.count - 1]),
      floor: floors[floors.count / 2], microbatches: microbatches, workers: workers,
      parameterCount: network.layout.elementCount,
      freeOrderStep: freeTimes.isEmpty ? nil : freeTimes[freeTimes.count / 2],
      stepInARow: roundTimes[roundTimes.count / 2])
  }

  /// The bare matrix products and convolutions of one step with one microbatch on one core, and one
  /// momentum pass.
  ///
  /// Those of the graph: forward, weight gradients, and all input gradients but that of the first layer.
  private static func measureFloor(_ network: Network, batchSize: Int) throws -> Duration {
    var sum = Floor.measureMomentum(count: network.layout.count, repeats: 3)
    let graph = network.graph
    func shape(_ node: Graph.Node) -> Shape { graph.shape(of: node).resolved(batch: batchSize) }
    for node in graph.nodes {
      let record = graph[node]
      let operands = record.inputs.map(shape)
      switch record.operation {
      case .matmul(let transposeLHS, let transposeRHS):
        let product = Floor.Product(
          rows: shape(node)[0], columns: shape(node)[1], depth: operands[0][transposeLHS ? 0 : 1],
          transposeLHS: transposeLHS, transposeRHS: transposeRHS)
        sum += try Floor.measure(product, repeats: 3).least
      case .convolution(let convolution):
        sum += try Floor.measure(
          .forward(bias: false), convolution.window, groups: convolution.groups, x: operands[0],
          y: shape(node), repeats: 3)
      case .convolutionInputGradient(let convolution, _):
        sum += try Floor.measure(
          .inputGradient, convolution.window, groups: convolution.groups, x: shape(node),
          y: operands[0], repeats: 3)
      case .convolutionWeightGradient(let convolution):
        sum += try Floor.measure(
          .weightGradient, convolution.window, groups: convolution.groups, x: operands[0],
          y: operands[1], repeats: 3)
      default: break
      }
    }
    return sum
  }
}

/// Whole training steps on random rows in memory: microbatches, sum, and optimiser.
package final class BenchSteps {
  private let engine: StepEngine
  fileprivate let replica: Replica
  private let rows: RandomRows
  private let batchSize: Int

  /// Compiles everything.
  ///
  /// Collective.
  package init(
    _ network: Network, targets: Network.Targets, optimizer: OptimizerRule, learningRate: Double,
    batchSize: Int, microbatches: Int, workers: Int = 1, isSharded: Bool = true,
    sharedMemoryLimit: Int? = nil,
    seed: UInt64, communicator: any Communicator
  ) throws {
    replica = try Replica(
      layout: network.layout, rule: optimizer, learningRate: learningRate, isSharded: isSharded,
      group: RankGroup(communicator, limit: sharedMemoryLimit), communicator: communicator)
    if replica.isWriter { network.writeInitialValues(into: replica.parameters, seed: seed) }
    engine = try StepEngine(
      network, rowCounts: [batchSize], microbatches: microbatches, workers: workers,
      replica: replica, stopwatch: Stopwatch(), communicator: communicator)
    rows = RandomRows(
      4 * batchSize, sampleShape: network.sampleShape, targets: targets,
      classCount: network.outputCount)
    self.batchSize = batchSize
  }

  /// Takes one step.
  ///
  /// Collective.
  package func step() throws {
    try engine.update(rowCount: batchSize, try compute())
  }

  /// Takes one step with gradients added in MPI's own order.
  ///
  /// Collective; for one worker per rank and parameters that are not sharded.
  package func stepInFreeOrder() throws {
    try engine.updateInFreeOrder(rowCount: batchSize, try compute())
  }

  private func compute() throws -> Replica.Update {
    let start = replica.step % 4 * batchSize
    let outcome = try engine.computeMicrobatches(
      rowCount: batchSize, of: rows, row: { start + $0 }, stopIsRequested: false, failure: nil)
    return Replica.Update(
      scale: 1 / outcome.sums.weight, step: replica.step + 1, rateFactor: 1)
  }

  /// The parameters.
  package var parameters: FloatBuffer { replica.parameters }
}
