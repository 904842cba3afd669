public import Communication
import DataParallel
public import Execution
import Optimizers
import Tensors

/// The time of one sum of gradients over all ranks, beside that of MPI_Allreduce on as many floats.
public struct ReductionBench: Sendable {
  /// The median time of our sum, in the order of the tree, until every rank can read the result.
  public let ours: Duration
  /// The median time of MPI_Allreduce in its own order.
  public let allreduce: Duration
  /// The groups of ranks that share memory.
  public let groupCount: Int

  /// Measures both in turn.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - count: The floats of a gradient.
  ///   - repeats: The number of times each is measured.
  ///   - sharedMemoryLimit: The most ranks of a host that share memory; nil for all.
  ///   - backend: The backend that adds.
  ///   - communicator: The ranks.
  /// - Returns: The times, of the slowest rank.
  /// - Throws: `CommunicationError`.
  public static func measure(
    count: Int, repeats: Int = 15, sharedMemoryLimit: Int? = nil, backend: any Backend,
    communicator: any Communicator
  ) throws(CommunicationError) -> ReductionBench {
    let group = try RankGroup(communicator, limit: sharedMemoryLimit)
    let vectors = try SummedVectors(count: count, group, backend, communicator)
    let plain = FloatBuffer(count: vectors.count)
    var times: (ours: [Duration], allreduce: [Duration]) = ([], [])
    for round in 0..<repeats + 2 {
      let ours = try slowestTime(communicator, vectors.add)
      let allreduce = try slowestTime(communicator) { () throws(CommunicationError) in
        try sumInFreeOrder(plain.elements, on: communicator)
      }
      // The first rounds touch the memory for the first time.
      if round >= 2 {
        times.ours.append(ours)
        times.allreduce.append(allreduce)
      }
    }
    return ReductionBench(
      ours: median(times.ours), allreduce: median(times.allreduce), groupCount: group.groups.count)
  }
}

/// Returns the time that the slowest rank needs for `body`.
///
/// Collective.
private func slowestTime(
  _ communicator: any Communicator, _ body: () throws(CommunicationError) -> Void
) throws(CommunicationError) -> Duration {
  try communicator.barrier()
  let start = ContinuousClock.now
  try body()
  var slowest = [Int64(start.duration(to: .now) / .nanoseconds(1))]
  try communicator.allreduce(&slowest, .max)
  return .nanoseconds(slowest[0])
}

/// A vector of zeros on each rank, and their sum as in a step: owners add, then share.
private struct SummedVectors {
  private let group: RankGroup
  private let replica: Replica
  private let memory: SharedMemory
  private let sum: GradientSum

  /// The floats of a vector, padding included.
  var count: Int { replica.layout.count }

  /// Allocates the vectors and prepares the exchange.
  ///
  /// Collective.
  init(
    count: Int, _ group: RankGroup, _ backend: any Backend, _ communicator: any Communicator
  ) throws(CommunicationError) {
    self.group = group
    let size = communicator.size
    let layout = FlatLayout([("vector", [count])])
    replica = try Replica(
      ReplicaLayout(layout, ranges: UpdateRanges(count: layout.count)),
      OptimizerSettings(
        .sgd(momentum: 0, nesterov: false, weightDecay: 0), learningRate: 0),
      isSharded: true, group: group, arithmetic: backend.arithmetic,
      communicator: communicator)
    let length = replica.layout.count
    memory = try group.allocate(byteCount: max(length, 1) * MemoryLayout<Float>.stride)
    let vectors = memory.segments.map { $0.pointer(at: 0, to: Float.self, count: length) }
    vectors[group.localRank].update(repeating: 0, count: length)
    let plan = FoldPlan(
      tree: SumTree(isPresent: Array(repeating: true, count: size)),
      division: WorkDivision(groups: group.groups, microbatches: size),
      workerCounts: Array(repeating: 1, count: size), elements: replica.elements,
      rank: communicator.rank)
    let staging = GradientStaging(for: [plan])
    sum = GradientSum(
      plan, staging: staging,
      exchange: try GradientExchange(plan, staging: staging, communicator: communicator),
      arithmetic: backend.arithmetic
    ) { vectors[$0.localRank] }
  }

  /// Adds the vectors, until every rank can read the result.
  ///
  /// Collective.
  func add() throws(CommunicationError) {
    let result = replica.parameters
    group.barrier()
    for bucket in 0..<sum.bucketCount { try sum.begin(bucket) }
    for bucket in 0..<sum.bucketCount {
      try sum.finish(bucket)
      let owned = sum.owned(bucket)
      for start in stride(from: owned.lowerBound, to: owned.upperBound, by: 4096) {
        sum.sum(start..<min(start + 4096, owned.upperBound), in: bucket) { range, values in
          replica.arithmetic.copy(
            values + range.lowerBound, into: result.pointer + range.lowerBound,
            count: range.count)
        }
      }
      try replica.startSharing(bucket, of: result)
    }
    try replica.finishSharing()
    group.barrier()
  }
}
