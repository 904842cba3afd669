package import Communication
import Digests
package import Execution
public import Optimizers
public import Tensors

/// Everything that training changes, as one rank sees it; the same bits on every rank.
///
/// The ranks of a group share one copy of the parameters. Each rank updates the elements that
/// it owns (``ElementDivision``) and keeps the state of the optimizer for these alone; with several
/// groups, owners send what they updated. A replica that is not sharded has a copy of parameters and state
/// of its own and updates all of it: the same bits, more memory.
public final class Replica {
  /// The flat parameters and states.
  public let parameters: FloatBuffer
  /// The range of each parameter and state in them.
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
  package let arithmetic: any FlatArithmetic
  /// True if each rank updates only the elements that it owns.
  let isSharded: Bool
  private let communicator: any Communicator
  private let memory: SharedMemory?
  /// Exchanges the optimizer's sums over elements; nil if there are none, or this rank makes all of them.
  private let pieceExchange: PieceExchange?
  private let ownerExchanges: OwnerExchanges

  /// Creates a replica of zeros.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - layout: The arrays of the flat vectors.
  ///   - settings: The optimizer.
  ///   - isSharded: True if each rank is to update only the elements that it owns.
  ///   - group: The ranks that share memory.
  ///   - arithmetic: The arithmetic on the vectors.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`, also as an agreed failure if memory is short.
  package init(
    _ layout: ReplicaLayout, _ settings: OptimizerSettings, isSharded: Bool, group: RankGroup,
    arithmetic: any FlatArithmetic, communicator: any Communicator
  ) throws(CommunicationError) {
    self.layout = layout.arrays
    (parameterLayout, stateLayout) = (layout.parameters, layout.states)
    self.group = group
    self.arithmetic = arithmetic
    self.communicator = communicator
    // A rank by itself owns everything, without a copy.
    self.isSharded = isSharded || communicator.size == 1
    let count = layout.arrays.count
    let bucketLength = try BucketChoice.measure(
      count: count, group: group, communicator: communicator)
    elements = ElementDivision(
      groups: group.groups, count: count, bucketLength: bucketLength,
      alignment: settings.needsNorms ? FlatLayout.blockLength : FlatLayout.alignment)
    let vectors = try FlatVectors(
      count: count, settings, sharedBy: self.isSharded ? group : nil)
    (parameters, average, memory) = (vectors.parameters, vectors.average, vectors.memory)
    let pieces = settings.needsNorms ? Pieces(layout.ranges.learnedArrays) : nil
    if let pieces, self.isSharded {
      pieceExchange = try PieceExchange(
        pieces, elements: elements, group: group, communicator: communicator)
    } else {
      pieceExchange = nil
    }
    optimizer = Optimizer(
      settings, ranges: layout.ranges, slots: vectors.slots, arithmetic: arithmetic,
      sums: pieceExchange?.sums ?? pieces.map { PieceSums($0) })
    ownerExchanges = try OwnerExchanges(elements, communicator)
  }

  /// True if there is no other rank.
  var isAlone: Bool { communicator.size == 1 }

  /// The memory of parameters and state that this rank adds to its host, in bytes.
  package var byteCount: Int {
    let vectors = parameters.count * MemoryLayout<Float>.stride
    let sums = pieceExchange?.byteCount ?? optimizer.sums?.byteCount ?? 0
    guard isSharded else { return vectors * (1 + optimizer.settings.vectorCount) + sums }
    // A group has the whole average while it evaluates.
    let copies = vectors * (average == nil ? 1 : 2) / group.members.count
    return copies + vectors * optimizer.slots.count / communicator.size + sums
  }

  // MARK: A step.

  /// Moves the average of some elements after the parameters, which a step has changed.
  ///
  /// States are averaged with the parameters: they are running averages of what those parameters made.
  ///
  /// - Parameters:
  ///   - step: The step, whose number decides if the average has begun.
  ///   - elements: The elements; no two threads the same.
  func advanceAverage(_ step: Optimizer.Step, elements: Range<Int>) {
    guard let average, let settings = optimizer.settings.average else { return }
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
  func exchangeSums(round: Int) throws(CommunicationError) {
    try pieceExchange?.exchange(round: round)
  }

  /// Sends all ranks the whole average.
  ///
  /// Collective.
  package func shareAverage() throws(CommunicationError) {
    guard let average, isSharded, !ownerExchanges.isEmpty else { return }
    for bucket in elements.buckets.indices { try startSharing(bucket, of: average) }
    try finishSharing()
    group.barrier()
  }

  /// Begins to send this rank's elements of a bucket of a vector to the other groups.
  package func startSharing(_ bucket: Int, of vector: FloatBuffer) throws(CommunicationError) {
    guard !ownerExchanges.isEmpty else { return }
    try communicator.start(
      ownerExchanges.sharing[bucket], from: vector.elements, into: vector.elements)
  }

  /// Waits for the elements of all buckets that the other groups send.
  package func finishSharing() throws(CommunicationError) {
    for exchange in ownerExchanges.sharing { try communicator.finish(exchange) }
  }

  // MARK: Beginning.

  /// Starts the average at the parameters, which have their first values.
  package func beginAverage() {
    guard let average else { return }
    for range in isSharded ? owned : [0..<average.count] {
      arithmetic.copy(
        parameters.pointer + range.lowerBound, into: average.pointer + range.lowerBound,
        count: range.count)
    }
  }

  /// The vectors of which each rank keeps the elements it owns: the optimizer's state, and the average.
  private var ownedVectors: [FloatBuffer] { optimizer.slots + (average.map { [$0] } ?? []) }

  /// True if this rank writes the first values of the parameters, for all that share them.
  package var isWriter: Bool { !isSharded || group.isLeader }

  /// Sends every rank its part of a checkpoint that root has read: the parameters, and state it owns.
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

  /// The elements that this rank owns, bucket by bucket.
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

  /// Returns the SHA-256 of the vectors that this rank has whole, to compare replicas; nil on a rank that
  /// shares another's memory.
  package func digest() -> String? {
    guard isWriter else { return nil }
    var hash = SHA256()
    for buffer in [parameters] + (isSharded ? [] : ownedVectors) {
      hash.update(UnsafeRawBufferPointer(raw(buffer)))
    }
    return hash.finalizeHex()
  }

  /// True if every parameter, all optimizer state and the average that this rank owns are finite.
  package var isFinite: Bool {
    let ranges = isSharded ? owned : [0..<parameters.count]
    return ([parameters] + ownedVectors).allSatisfy { vector in
      ranges.allSatisfy { arithmetic.isFinite(vector.pointer + $0.lowerBound, count: $0.count) }
    }
  }

  /// Brings all optimizer state and the average to root, calls `body`, and releases them again.
  ///
  /// Collective.
  package func withWholeState(
    _ body: () throws(CommunicationError) -> Void
  ) throws(CommunicationError) {
    guard isSharded, !ownerExchanges.isEmpty else { return try body() }
    for vector in ownedVectors {
      for exchange in ownerExchanges.collecting {
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
