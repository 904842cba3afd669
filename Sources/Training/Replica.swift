import Communication
import Digests
import Kernels
public import Tensors

/// Everything that training changes, as one rank sees it; the same bits on every rank.
///
/// The ranks of a group share one copy of the parameters in memory. Each rank updates the elements that
/// it owns (``ElementDivision``) and keeps the state of the optimiser for these alone; with several
/// groups, owners send what they updated. Where the optimiser is not sharded, every rank has a copy of
/// parameters and state of its own and updates all of it: the same bits, more memory.
public final class Replica {
  /// One step of the optimiser.
  struct Update {
    /// What the sum of gradients is multiplied by to be the mean: one over the summed weight.
    let scale: Double
    /// The number of the step, from 1.
    let step: Int
    /// What the step size is multiplied by in this step.
    let rateFactor: Double
  }

  /// The flat parameters.
  public let parameters: FloatBuffer
  /// Where each parameter lies in them.
  public let layout: FlatLayout
  /// The rule that changes them, with its state.
  public let optimizer: Optimizer
  /// The steps taken.
  public internal(set) var step = 0
  /// The loss of the last step.
  public internal(set) var lastLoss = Double.nan
  /// The best evaluation so far, and the step it is of.
  public internal(set) var best: (step: Int, evaluation: Evaluation)?

  let group: RankGroup
  let elements: ElementDivision
  /// Whether each rank updates only what it owns.
  let isSharded: Bool
  private let communicator: any Communicator
  private let memory: SharedMemory?
  /// For each bucket, what owners send to the other groups; none with one group.
  private let sharing: [FloatExchange]
  /// For each bucket, what owners in other groups send to root before a checkpoint.
  private let collecting: [FloatExchange]

  /// Creates a replica of zeros.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - layout: Where each parameter lies.
  ///   - ranges: What a step does to which elements; nil for the rule to all of them.
  ///   - rule: How they change.
  ///   - learningRate: The step size.
  ///   - isSharded: Whether each rank updates only what it owns.
  ///   - group: The ranks that share memory.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`, also as an agreed failure where memory is short.
  init(
    layout: FlatLayout, ranges: UpdateRanges? = nil, rule: OptimizerRule, learningRate: Double,
    isSharded: Bool, group: RankGroup, communicator: any Communicator
  ) throws(CommunicationError) {
    self.layout = layout
    self.group = group
    self.communicator = communicator
    // A rank by itself owns everything, without a copy.
    self.isSharded = isSharded || communicator.size == 1
    let count = layout.count
    let bucketLength = try BucketChoice.measure(
      count: count, group: group, communicator: communicator)
    let elements = ElementDivision(
      groups: group.groups, count: count, bucketLength: bucketLength)
    self.elements = elements
    let slotNames = rule.slotNames
    let ranges = ranges ?? UpdateRanges(count: count)
    if self.isSharded {
      let size = max(count, 1) * MemoryLayout<Float>.stride
      let memory = try group.allocate(
        byteCount: group.isLeader ? size * (1 + slotNames.count) : 0)
      self.memory = memory
      func vector(_ index: Int) -> FloatBuffer {
        FloatBuffer(
          at: memory.segments[0].pointer(at: index * size, to: Float.self, count: count),
          count: count, owner: memory)
      }
      parameters = vector(0)
      optimizer = Optimizer(
        rule, learningRate: learningRate, ranges: ranges,
        slots: slotNames.indices.map { vector(1 + $0) })
    } else {
      memory = nil
      parameters = FloatBuffer(count: count)
      optimizer = Optimizer(rule, learningRate: learningRate, ranges: ranges)
    }
    (sharing, collecting) = try Replica.prepare(elements, communicator)
  }

  private static func prepare(
    _ elements: ElementDivision, _ communicator: any Communicator
  ) throws(CommunicationError) -> (sharing: [FloatExchange], collecting: [FloatExchange]) {
    var (sharing, collecting): ([FloatExchange], [FloatExchange]) = ([], [])
    guard elements.groups.count > 1 else { return (sharing, collecting) }
    let (rank, size) = (communicator.rank, communicator.size)
    let ownGroup = elements.group(of: rank)
    let rootGroup = elements.group(of: communicator.root)
    let nothing = Array(repeating: 0..<0, count: size)
    for (index, bucket) in elements.buckets.enumerated() {
      var (sending, receiving) = (nothing, nothing)
      for group in elements.groups.indices where group != ownGroup {
        sending[elements.receiver(in: group, of: rank)] = elements.elements(of: rank, in: bucket)
        for other in elements.groups[group]
        where elements.receiver(in: ownGroup, of: other) == rank {
          receiving[other] = elements.elements(of: other, in: bucket)
        }
      }
      let tag = 16384 + index % 8192
      sharing.append(
        try communicator.prepareExchange(sending: sending, receiving: receiving, tag: tag))
      (sending, receiving) = (nothing, nothing)
      if ownGroup != rootGroup {
        sending[communicator.root] = elements.elements(of: rank, in: bucket)
      } else if communicator.isRoot {
        for other in 0..<size where elements.group(of: other) != rootGroup {
          receiving[other] = elements.elements(of: other, in: bucket)
        }
      }
      collecting.append(
        try communicator.prepareExchange(
          sending: sending, receiving: receiving, tag: 24576 + index % 8192))
    }
    return (sharing, collecting)
  }

  /// The memory of parameters and state that this rank adds to its host, in bytes.
  var byteCount: Int {
    let vectors = parameters.count * MemoryLayout<Float>.stride
    guard isSharded else { return vectors * (1 + optimizer.slots.count) }
    return vectors / group.members.count + vectors * optimizer.slots.count / communicator.size
  }

  // MARK: A step.

  /// Applies one step of the optimiser to some elements.
  ///
  /// - Parameters:
  ///   - update: The step.
  ///   - gradient: The sum of the gradients of element i at index i.
  ///   - elements: Which elements; no two threads the same.
  func apply(
    _ update: Update, gradient: UnsafePointer<Float>, elements: Range<Int>
  ) {
    optimizer.update(
      parameters, gradient: gradient, elements: elements, scale: update.scale,
      step: update.step, rateFactor: update.rateFactor)
  }

  /// Begins to send what this rank owns of a bucket of a vector to the other groups.
  func startSharing(_ bucket: Int, of vector: FloatBuffer) throws(CommunicationError) {
    guard !sharing.isEmpty else { return }
    try communicator.start(sharing[bucket], from: vector.elements, into: vector.elements)
  }

  /// Waits for what the other groups send of all buckets.
  func finishSharing() throws(CommunicationError) {
    for exchange in sharing { try communicator.finish(exchange) }
  }

  // MARK: Beginning.

  /// Whether this rank is the one that writes the parameters of all that share them at the beginning.
  var isWriter: Bool { !isSharded || group.isLeader }

  /// Gives every rank what root has read of a checkpoint: the parameters, and its part of the state.
  ///
  /// Collective.
  func distribute() throws(CommunicationError) {
    defer { group.barrier() }
    guard communicator.size > 1, !(isSharded && group.isWholeJob) else { return }
    let pieceLength = 1 << 18
    let isBesideRoot = isSharded && group.members.contains(communicator.root)
    for (index, vector) in ([parameters] + optimizer.slots).enumerated() {
      for start in stride(from: 0, to: vector.count, by: pieceLength) {
        let piece = start..<min(start + pieceLength, vector.count)
        var bytes =
          communicator.isRoot
          ? Array(UnsafeRawBufferPointer(rebasing: raw(vector)[byteRange(piece)])) : []
        try communicator.broadcast(&bytes, from: communicator.root)
        guard !communicator.isRoot, !isBesideRoot else { continue }
        for range in wanted(of: piece, isState: index > 0) {
          let source = byteRange(range.lowerBound - start..<range.upperBound - start)
          bytes.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: raw(vector)[byteRange(range)])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[source]))
          }
        }
      }
    }
  }

  /// The elements of a range that this rank keeps.
  private func wanted(of piece: Range<Int>, isState: Bool) -> [Range<Int>] {
    guard isSharded else { return [piece] }
    guard isState else { return group.isLeader ? [piece] : [] }
    return owned.filter { $0.overlaps(piece) }.map { $0.clamped(to: piece) }
  }

  /// What this rank owns, bucket by bucket.
  private var owned: [Range<Int>] {
    elements.buckets.map { elements.elements(of: communicator.rank, in: $0) }
  }

  private func raw(_ vector: FloatBuffer) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(vector.elements)
  }

  private func byteRange(_ elements: Range<Int>) -> Range<Int> {
    let stride = MemoryLayout<Float>.stride
    return elements.lowerBound * stride..<elements.upperBound * stride
  }

  // MARK: Checkpoints.

  /// Keeps an evaluation if it is the best so far.
  func noteEvaluation(_ evaluation: Evaluation) {
    if let best, !evaluation.isBetter(than: best.evaluation) { return }
    best = (step, evaluation)
  }

  /// SHA-256 over what this rank has whole, to compare replicas; nil on a rank that shares another's
  /// memory.
  func digest() -> String? {
    guard isWriter else { return nil }
    var hash = SHA256()
    for buffer in [parameters] + (isSharded ? [] : optimizer.slots) {
      hash.update(UnsafeRawBufferPointer(raw(buffer)))
    }
    return hash.finalizeHex()
  }

  /// Whether every parameter and all optimiser state that this rank owns are finite numbers.
  var isFinite: Bool {
    let ranges = isSharded ? owned : [0..<parameters.count]
    return ([parameters] + optimizer.slots).allSatisfy { vector in
      ranges.allSatisfy { FlatSum.isFinite(vector.pointer + $0.lowerBound, count: $0.count) }
    }
  }

  /// Brings all optimiser state to root, does `body`, and lets go of it again.
  ///
  /// Collective.
  func withWholeState(
    _ body: () throws(CommunicationError) -> Void
  ) throws(CommunicationError) {
    guard isSharded, !collecting.isEmpty else { return try body() }
    for slot in optimizer.slots {
      for exchange in collecting {
        try communicator.start(exchange, from: slot.elements, into: slot.elements)
        try communicator.finish(exchange)
      }
    }
    try body()
    guard communicator.isRoot, let memory else { return }
    let rootGroup = group.index
    for slot in optimizer.slots {
      for bucket in elements.buckets {
        for other in elements.groups.indices where other != rootGroup {
          let range = byteRange(elements.elements(ofGroup: other, in: bucket))
          memory.release(UnsafeMutableRawBufferPointer(rebasing: raw(slot)[range]))
        }
      }
    }
  }
}
