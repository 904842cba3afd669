package import Communication
package import Execution
import Tensors

/// The sum of the gradients of all microbatches of a step, in the order of the tree, by ranges.
///
/// The workers of a group leave the sums of their largest subtrees in memory that all ranks of the group
/// see. Each rank owns a range of elements of every bucket (``ElementDivision``) and folds it straight
/// from there. With several groups, each first folds its own subtrees for the ranges that the others own
/// and sends them, one copy per group; the owner then folds what it got with what its own group has.
/// Nothing depends on powers of two; ranks beyond the number of microbatches only help to add. A group
/// has one largest subtree where groups and microbatches are powers of two, and up to
/// 2 · log₂ of its microbatches otherwise.
///
/// Prepared for one pattern of present microbatches; a run has two, for full and for short batches.
package final class GradientSum {
  /// Memory for what is sent and received, shared by the sums of one run.
  package final class Staging {
    /// How numbers are sent.
    package let format: GradientFormat
    private var reserved = (sending: 0, receiving: 0)
    private(set) lazy var sending = FloatBuffer(count: reserved.sending)
    private(set) lazy var receiving = FloatBuffer(count: reserved.receiving)
    /// What was received, as numbers.
    private(set) lazy var decoded =
      format == .float ? receiving : FloatBuffer(count: reserved.receiving)

    package init(_ format: GradientFormat = .float) { self.format = format }

    package func reserve(sending: Int, receiving: Int) {
      reserved = (max(reserved.sending, sending), max(reserved.receiving, receiving))
    }

    package var byteCount: Int {
      let vectors = reserved.sending + reserved.receiving
      return vectors * MemoryLayout<Float>.stride * (format == .float ? 1 : 2)
    }
  }

  /// What one rank of another group gets of a bucket: its range of each of this group's subtrees.
  private struct Outgoing {
    let elements: Range<Int>
    /// Where the first subtree's range begins in the memory for sending; the others follow.
    let offset: Int
  }

  /// A part of the owned range of a bucket whose pieces are where they are all along it.
  private struct Part {
    let elements: Range<Int>
    /// For each subtree received: the index in the memory for receiving, less that of the element.
    let offsets: [Int]
  }

  private struct Bucket {
    let outgoing: [Outgoing]
    let parts: [Part]
    let owned: Range<Int>
    /// Nil where all ranks are in one group.
    let exchange: FloatExchange?
  }

  private let communicator: any Communicator
  private let arithmetic: any FlatArithmetic
  private let staging: Staging
  /// The subtrees of the group's workers, each a flat vector.
  private let pieces: [UnsafeMutablePointer<Float>]
  /// How each of the group's largest subtrees is made of the pieces.
  private let subtrees: [(additions: [SumTree.Addition], slot: Int)]
  /// How the whole is made of the pieces and of what the other groups send.
  private let whole: (additions: [SumTree.Addition], slot: Int?)
  private var buckets: [Bucket] = []
  /// What rounding has kept from being sent; used again when this pattern of microbatches comes again.
  private let residual: FloatBuffer

  /// The elements that are added before the next ones are looked at, so that they stay in the cache.
  private static let blockLength = FlatLayout.blockLength

  /// Prepares the sum.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - tree: The tree of the microbatches that are present.
  ///   - division: Which rank computes which of them.
  ///   - workerCounts: The number of workers of each rank.
  ///   - elements: Which rank adds which elements.
  ///   - staging: Memory for what is sent and received.
  ///   - arithmetic: The additions.
  ///   - communicator: The ranks.
  ///   - slot: The flat vector where a worker of this rank's group, named by local rank
  ///     and its own number, leaves the sum of one of its largest subtrees.
  /// - Throws: `CommunicationError`.
  package init(
    tree: SumTree, division: WorkDivision, workerCounts: [Int], elements: ElementDivision,
    staging: Staging, arithmetic: any FlatArithmetic, communicator: any Communicator,
    slot: (_ localRank: Int, _ worker: Int, _ subtree: Int) -> UnsafeMutablePointer<Float>
  ) throws(CommunicationError) {
    self.communicator = communicator
    self.arithmetic = arithmetic
    self.staging = staging
    let (rank, size) = (communicator.rank, communicator.size)
    let group = elements.group(of: rank)
    var pieces: [UnsafeMutablePointer<Float>] = []
    var places: [SumTree.Node: Int] = [:]
    for (localRank, member) in division.groups[group].enumerated() {
      for worker in 0..<workerCounts[member] {
        let nodes = tree.maximalNodes(
          in: division.leaves(of: member, worker: worker, of: workerCounts[member]))
        for (subtree, node) in nodes.enumerated() {
          places[node] = pieces.count
          pieces.append(slot(localRank, worker, subtree))
        }
      }
    }
    self.pieces = pieces
    let nodes = division.groups.indices.map {
      tree.maximalNodes(in: division.leaves(ofGroup: $0))
    }
    subtrees = nodes[group].compactMap { node in
      let fold = tree.fold(to: node, from: places)
      return fold.slot.map { (fold.additions, $0) }
    }
    var received = 0
    for other in division.groups.indices where other != group {
      for node in nodes[other] {
        places[node] = pieces.count + received
        received += 1
      }
    }
    whole = tree.fold(to: tree.root, from: places)
    var (sent, got) = (0, 0)
    for (index, bucket) in elements.buckets.enumerated() {
      var sending = Array(repeating: 0..<0, count: size)
      var receiving = Array(repeating: 0..<0, count: size)
      var outgoing: [Outgoing] = []
      for other in 0..<size {
        let out = elements.elements(from: rank, to: other, in: bucket)
        if !out.isEmpty {
          outgoing.append(Outgoing(elements: out, offset: sent))
          sending[other] = sent..<sent + out.count * subtrees.count
          sent = sending[other].upperBound
        }
        let back = elements.elements(from: other, to: rank, in: bucket)
        let count = back.count * nodes[elements.group(of: other)].count
        if count > 0 {
          receiving[other] = got..<got + count
          got += count
        }
      }
      let isAlone = division.groups.count == 1
      buckets.append(
        Bucket(
          outgoing: outgoing,
          parts: GradientSum.parts(
            of: bucket, rank: rank, elements: elements, subtreeCounts: nodes.map(\.count),
            receiving: receiving),
          owned: elements.elements(of: rank, in: bucket),
          exchange: isAlone
            ? nil
            : try communicator.prepareExchange(
              sending: sending.map(staging.format.floats),
              receiving: receiving.map(staging.format.floats), tag: index % 16384)))
    }
    staging.reserve(sending: sent, receiving: got)
    residual = FloatBuffer(count: staging.format == .float ? 0 : sent)
  }

  /// Cuts the owned range of a bucket where another rank begins to be the one that sends.
  private static func parts(
    of bucket: Range<Int>, rank: Int, elements: ElementDivision, subtreeCounts: [Int],
    receiving: [Range<Int>]
  ) -> [Part] {
    let owned = elements.elements(of: rank, in: bucket)
    guard !owned.isEmpty else { return [] }
    let group = elements.group(of: rank)
    var borders: Set<Int> = [owned.lowerBound, owned.upperBound]
    for other in 0..<elements.size {
      let range = elements.elements(from: other, to: rank, in: bucket)
      if !range.isEmpty { borders.formUnion([range.lowerBound, range.upperBound]) }
    }
    let sorted = borders.sorted()
    return zip(sorted, sorted.dropFirst()).map { start, end in
      var offsets: [Int] = []
      for other in elements.groups.indices where other != group {
        let sender = elements.groups[other].first {
          elements.elements(from: $0, to: rank, in: bucket).contains(start)
        }
        guard let sender else { continue }
        let range = elements.elements(from: sender, to: rank, in: bucket)
        for subtree in 0..<subtreeCounts[other] {
          offsets.append(
            receiving[sender].lowerBound + subtree * range.count - range.lowerBound)
        }
      }
      return Part(elements: start..<end, offsets: offsets)
    }
  }

  /// The number of buckets; they are begun and finished in order.
  package var bucketCount: Int { buckets.count }

  /// Whether there are other groups to exchange sums with.
  package var isExchanged: Bool { buckets.contains { $0.exchange != nil } }

  /// The elements of a bucket that this rank owns.
  package func owned(_ bucket: Int) -> Range<Int> { buckets[bucket].owned }

  /// Folds this group's subtrees of a bucket for the ranks of other groups and begins to exchange them.
  ///
  /// To be called when the bucket is final in all subtrees of the group.
  package func begin(_ bucket: Int) throws(CommunicationError) {
    guard let exchange = buckets[bucket].exchange else { return }
    for outgoing in buckets[bucket].outgoing { fold(outgoing) }
    try communicator.start(
      exchange, from: staging.sending.elements, into: staging.receiving.elements)
  }

  private func fold(_ outgoing: Outgoing) {
    var start = outgoing.elements.lowerBound
    while start < outgoing.elements.upperBound {
      let count = min(GradientSum.blockLength, outgoing.elements.upperBound - start)
      let offset = outgoing.offset + start - outgoing.elements.lowerBound
      for (index, subtree) in subtrees.enumerated() {
        for addition in subtree.additions {
          arithmetic.add(
            pieces[addition.target] + start, pieces[addition.source] + start, count: count)
        }
        let place = offset + index * outgoing.elements.count
        switch staging.format {
        case .float:
          arithmetic.copy(
            pieces[subtree.slot] + start, into: staging.sending.pointer + place, count: count)
        case .bf16:
          arithmetic.encodeBFloat16(
            pieces[subtree.slot] + start, residual: residual.pointer + place,
            into: UnsafeMutableRawPointer(staging.sending.pointer)
              .assumingMemoryBound(to: UInt16.self) + place, count: count)
        }
      }
      start += count
    }
  }

  /// Lets the exchange of a bucket go on.
  package func progress(_ bucket: Int) throws(CommunicationError) {
    guard let exchange = buckets[bucket].exchange else { return }
    _ = try communicator.progress(exchange)
  }

  /// Waits for what other groups send of a bucket.
  package func finish(_ bucket: Int) throws(CommunicationError) {
    guard let exchange = buckets[bucket].exchange else { return }
    try communicator.finish(exchange)
  }

  /// Adds a part of what this rank owns of a bucket, when all of it is there.
  ///
  /// - Parameters:
  ///   - elements: Within the owned range of the bucket; no two threads the same.
  ///   - bucket: The bucket.
  ///   - isAdded: Whether they have been added in this step, so that the sums are there.
  ///   - receive: Gets successive ranges and where their sums are: the sum of element i at index i.
  /// - Complexity: One pass over the pieces; no allocation.
  package func sum(
    _ elements: Range<Int>, in bucket: Int, isAdded: Bool = false,
    receive: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    guard let slot = whole.slot else { return }
    for part in buckets[bucket].parts where part.elements.overlaps(elements) {
      let range = part.elements.clamped(to: elements)
      var start = isAdded ? range.upperBound : range.lowerBound
      while start < range.upperBound {
        let count = min(GradientSum.blockLength, range.upperBound - start)
        if staging.format == .bf16 {
          for offset in part.offsets {
            arithmetic.decodeBFloat16(
              UnsafeRawPointer(staging.receiving.pointer).assumingMemoryBound(to: UInt16.self)
                + offset + start, into: staging.decoded.pointer + offset + start, count: count)
          }
        }
        for addition in whole.additions {
          arithmetic.add(
            piece(addition.target, part) + start, piece(addition.source, part) + start,
            count: count)
        }
        start += count
      }
      receive(range, piece(slot, part))
    }
  }

  /// Where a piece lies: its element i at index i.
  @inline(__always)
  private func piece(_ index: Int, _ part: Part) -> UnsafeMutablePointer<Float> {
    index < pieces.count
      ? pieces[index] : staging.decoded.pointer + part.offsets[index - pieces.count]
  }
}

/// How sums of gradients are sent between groups of ranks.
public enum GradientFormat: String, CaseIterable, Sendable {
  /// As they are.
  case float
  /// Rounded to bfloat16, what is lost added the next time: half as many bytes, but the answer depends
  /// on the groups, and on where a run was stopped.
  case bf16

  /// The floats of a message that hold a range of numbers, which ends and begins on cache lines.
  package func floats(_ elements: Range<Int>) -> Range<Int> {
    switch self {
    case .float: elements
    case .bf16: elements.lowerBound / 2..<elements.upperBound / 2
    }
  }
}
