package import Communication
import Digests
package import Execution
public import Optimizers
public import Tensors

/// Everything that training changes, as one rank sees it; the same bits on every rank.
///
/// The ranks of a group share one copy of the parameters in memory. Each rank updates the elements that
/// it owns (``ElementDivision``) and keeps the state of the optimiser for these alone; with several
/// groups, owners send what they updated. Where the optimiser is not sharded, every rank has a copy of
/// parameters and state of its own and updates all of it: the same bits, more memory.
public final class Replica {
  /// The flat parameters and states.
  public let parameters: FloatBuffer
  /// Where each parameter and state lies in them.
  public let layout: FlatLayout
  /// The part of the layout with the parameters.
  public let parameterLayout: FlatLayout
  /// The part of the layout with the states.
  public let stateLayout: FlatLayout
  /// The rule that changes them, with its state.
  public let optimizer: Optimizer
  /// The moving average of the parameters, if there is one; of each element on the rank that owns it,
  /// and on all ranks after ``shareAverage()``.
  public let average: FloatBuffer?
  package let group: RankGroup
  package let elements: ElementDivision
  /// Whether each rank updates only what it owns.
  package let isSharded: Bool
  /// Whether there is no other rank.
  package var isAlone: Bool { communicator.size == 1 }
  package let arithmetic: any FlatArithmetic
  private let communicator: any Communicator
  private let memory: SharedMemory?
  /// Exchanges the sums that the optimizer makes of elements; nil where it makes none, or this rank makes all.
  private let pieceExchange: PieceExchange?
  /// For each bucket, what owners send to the other groups; none with one group.
  private let sharing: [FloatExchange]
  /// For each bucket, what owners in other groups send to root before a checkpoint.
  private let collecting: [FloatExchange]

  /// Creates a replica of zeros.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - layout: Where each parameter lies, then each state.
  ///   - stateCount: The number of states at the end of the layout.
  ///   - ranges: What a step does to which elements.
  ///   - settings: How they change.
  ///   - isSharded: Whether each rank updates only what it owns.
  ///   - group: The ranks that share memory.
  ///   - arithmetic: The arithmetic on its vectors.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`, also as an agreed failure where memory is short.
  package init(
    layout: FlatLayout, stateCount: Int = 0, ranges: UpdateRanges, settings: OptimizerSettings,
    isSharded: Bool, group: RankGroup, arithmetic: any FlatArithmetic,
    communicator: any Communicator
  ) throws(CommunicationError) {
    self.layout = layout
    parameterLayout = layout[..<(layout.ranges.count - stateCount)]
    stateLayout = layout[(layout.ranges.count - stateCount)...]
    self.group = group
    self.arithmetic = arithmetic
    self.communicator = communicator
    // A rank by itself owns everything, without a copy.
    self.isSharded = isSharded || communicator.size == 1
    let count = layout.count
    let bucketLength = try BucketChoice.measure(
      count: count, group: group, communicator: communicator)
    let elements = ElementDivision(
      groups: group.groups, count: count, bucketLength: bucketLength,
      alignment: settings.needsNorms ? FlatLayout.blockLength : FlatLayout.alignment)
    self.elements = elements
    let slotIndices = settings.rule.slotNames.indices
    let slots: [FloatBuffer]
    if self.isSharded {
      let size = max(count, 1) * MemoryLayout<Float>.stride
      let memory = try group.allocate(
        byteCount: group.isLeader ? size * (1 + settings.vectorCount) : 0)
      self.memory = memory
      func vector(_ index: Int) -> FloatBuffer {
        FloatBuffer(
          at: memory.segments[0].pointer(at: index * size, to: Float.self, count: count),
          count: count, owner: memory)
      }
      parameters = vector(0)
      slots = slotIndices.map { vector(1 + $0) }
      average = settings.average.map { _ in vector(1 + slots.count) }
    } else {
      memory = nil
      parameters = FloatBuffer(count: count)
      slots = slotIndices.map { _ in FloatBuffer(count: count) }
      average = settings.average.map { _ in FloatBuffer(count: count) }
    }
    let pieces = settings.needsNorms ? Pieces(ranges.learnedArrays) : nil
    let sums: PieceSums?
    if let pieces, self.isSharded {
      let exchange = try PieceExchange(
        pieces, elements: elements, group: group, communicator: communicator)
      (pieceExchange, sums) = (exchange, exchange.sums)
    } else {
      (pieceExchange, sums) = (nil, pieces.map { PieceSums($0) })
    }
    optimizer = Optimizer(
      settings, ranges: ranges, slots: slots, arithmetic: arithmetic, sums: sums)
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
  package var byteCount: Int {
    let vectors = parameters.count * MemoryLayout<Float>.stride
    let sums = pieceExchange?.byteCount ?? optimizer.sums?.byteCount ?? 0
    guard isSharded else { return vectors * (1 + optimizer.settings.vectorCount) + sums }
    // Groups have the whole average where they evaluate it.
    let copies = vectors * (average == nil ? 1 : 2) / group.members.count
    return copies + vectors * optimizer.slots.count / communicator.size + sums
  }

  // MARK: A step.

  /// Does one pass of the optimiser over some elements; after the last one the average follows.
  ///
  /// States are averaged with the parameters: running averages are of what the parameters beside them made.
  ///
  /// - Parameters:
  ///   - pass: The pass.
  ///   - step: The numbers of the step.
  ///   - gradient: The sum of the gradients of element i at index i.
  ///   - elements: Which elements; no two threads the same.
  package func run(
    _ pass: Optimizer.Pass, _ step: Optimizer.Step, gradient: UnsafePointer<Float>,
    elements: Range<Int>
  ) {
    optimizer.run(pass, step, parameters, gradient: gradient, elements: elements)
    guard pass == .change, let average, let settings = optimizer.settings.average else { return }
    optimizer.ranges.forEach(in: elements) { _, range in
      let start = range.lowerBound
      if step.number <= settings.start {
        arithmetic.copy(
          parameters.pointer + start, into: average.pointer + start, count: range.count)
      } else {
        arithmetic.average(
          average.pointer + start, parameters: parameters.pointer + start, count: range.count,
          decay: settings.decay)
      }
    }
  }

  /// Exchanges the sums of a round of the optimizer.
  ///
  /// Collective where the replica is sharded.
  package func exchangeSums(round: Int) throws(CommunicationError) {
    try pieceExchange?.exchange(round: round)
  }

  /// Gives all ranks the whole average.
  ///
  /// Collective.
  package func shareAverage() throws(CommunicationError) {
    guard let average, isSharded, !sharing.isEmpty else { return }
    for bucket in elements.buckets.indices { try startSharing(bucket, of: average) }
    try finishSharing()
    group.barrier()
  }

  /// Begins to send what this rank owns of a bucket of a vector to the other groups.
  package func startSharing(_ bucket: Int, of vector: FloatBuffer) throws(CommunicationError) {
    guard !sharing.isEmpty else { return }
    try communicator.start(sharing[bucket], from: vector.elements, into: vector.elements)
  }

  /// Waits for what the other groups send of all buckets.
  package func finishSharing() throws(CommunicationError) {
    for exchange in sharing { try communicator.finish(exchange) }
  }

  // MARK: Beginning.

  /// Lets the average begin with the parameters, which are there.
  package func beginAverage() {
    guard let average else { return }
    for range in isSharded ? owned : [0..<average.count] {
      arithmetic.copy(
        parameters.pointer + range.lowerBound, into: average.pointer + range.lowerBound,
        count: range.count)
    }
  }

  /// The vectors of which each rank keeps what it owns: the optimiser's state, and the average.
  private var ownedVectors: [FloatBuffer] { optimizer.slots + (average.map { [$0] } ?? []) }

  /// Whether this rank is the one that writes the parameters of all that share them at the beginning.
  package var isWriter: Bool { !isSharded || group.isLeader }

  /// Gives every rank what root has read of a checkpoint: the parameters, and its part of the state.
  ///
  /// Collective.
  package func distribute() throws(CommunicationError) {
    defer { group.barrier() }
    guard communicator.size > 1, !(isSharded && group.isWholeJob) else { return }
    let pieceLength = 1 << 18
    let isBesideRoot = isSharded && group.members.contains(communicator.root)
    for (index, vector) in ([parameters] + ownedVectors).enumerated() {
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

  /// SHA-256 over what this rank has whole, to compare replicas; nil on a rank that shares another's
  /// memory.
  package func digest() -> String? {
    guard isWriter else { return nil }
    var hash = SHA256()
    for buffer in [parameters] + (isSharded ? [] : ownedVectors) {
      hash.update(UnsafeRawBufferPointer(raw(buffer)))
    }
    return hash.finalizeHex()
  }

  /// Whether every parameter, all optimiser state and the average that this rank owns are finite.
  package var isFinite: Bool {
    let ranges = isSharded ? owned : [0..<parameters.count]
    return ([parameters] + ownedVectors).allSatisfy { vector in
      ranges.allSatisfy { arithmetic.isFinite(vector.pointer + $0.lowerBound, count: $0.count) }
    }
  }

  /// Brings all optimiser state and the average to root, does `body`, and lets go of it again.
  ///
  /// Collective.
  package func withWholeState(
    _ body: () throws(CommunicationError) -> Void
  ) throws(CommunicationError) {
    guard isSharded, !collecting.isEmpty else { return try body() }
    for vector in ownedVectors {
      for exchange in collecting {
        try communicator.start(exchange, from: vector.elements, into: vector.elements)
        try communicator.finish(exchange)
      }
    }
    try body()
    guard communicator.isRoot, let memory else { return }
    let rootGroup = group.index
    for vector in ownedVectors {
      for bucket in elements.buckets {
        for other in elements.groups.indices where other != rootGroup {
          let range = byteRange(elements.elements(ofGroup: other, in: bucket))
          memory.release(UnsafeMutableRawBufferPointer(rebasing: raw(vector)[range]))
        }
      }
    }
  }
}
