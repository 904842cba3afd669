import Tensors

/// The division of the elements of flat vectors among ranks, which add and update them.
///
/// The vectors are cut into buckets, which are summed one after another, from the end to the beginning:
/// the order in which a backward pass ends with them. Every rank owns a range of each bucket, on borders
/// of cache lines or of blocks; the ranges of a group's ranks are neighbours. It decides who works, never
/// what the answer is.
package struct ElementDivision: Sendable {
  /// The ranks, by the groups that share memory.
  package let groups: [[Int]]
  /// The elements of a flat vector.
  package let count: Int
  /// The ranges that are summed one after another, the last elements first.
  package let buckets: [Range<Int>]
  /// The number that every border between ranks is a multiple of.
  let alignment: Int
  /// The group of each rank, its local rank, and its position among all ranks in the order of groups.
  private let positions: [(group: Int, localRank: Int, inOrder: Int)]

  /// Divides vectors of `count` elements.
  ///
  /// - Parameters:
  ///   - groups: The ranks, by the groups that share memory.
  ///   - count: The elements of a flat vector.
  ///   - bucketLength: The most elements of a bucket, rounded up; nil for one bucket.
  ///   - alignment: The number that borders between buckets and ranks are multiples of: a cache line, or a
  ///     block of elements that must not be cut.
  package init(
    groups: [[Int]], count: Int, bucketLength: Int? = nil, alignment: Int = FlatLayout.alignment
  ) {
    self.groups = groups
    self.count = count
    self.alignment = alignment
    let length = max(bucketLength ?? count, alignment)
    let rounded = length.rounded(upToMultipleOf: alignment)
    var starts = Array(stride(from: 0, to: max(count, 1), by: rounded))
    starts.append(count)
    buckets = zip(starts, starts.dropFirst()).map { $0..<$1 }.reversed()
    let size = groups.reduce(0) { $0 + $1.count }
    var positions = Array(repeating: (group: 0, localRank: 0, inOrder: 0), count: size)
    var inOrder = 0
    for (group, members) in groups.enumerated() {
      for (localRank, rank) in members.enumerated() {
        positions[rank] = (group, localRank, inOrder)
        inOrder += 1
      }
    }
    self.positions = positions
  }

  /// The number of ranks.
  package var size: Int { positions.count }

  /// The number of a rank's group.
  package func group(of rank: Int) -> Int { positions[rank].group }

  /// The elements of a bucket that a rank adds and updates, empty for some ranks of short vectors.
  package func elements(of rank: Int, in bucket: Range<Int>) -> Range<Int> {
    part(of: bucket, owner: positions[rank].inOrder, owners: size)
  }

  /// The elements of a bucket that the ranks of a group add and update.
  func elements(ofGroup group: Int, in bucket: Range<Int>) -> Range<Int> {
    guard let first = groups[group].first, let last = groups[group].last else { return 0..<0 }
    return elements(of: first, in: bucket)
      .lowerBound..<elements(of: last, in: bucket).upperBound
  }

  /// The elements that a rank sends to a rank of another group, of its own group's sums: the part that it folds
  /// for that group, as far as the receiver owns it.
  package func elements(from sender: Int, to receiver: Int, in bucket: Range<Int>) -> Range<Int> {
    let (from, to) = (positions[sender], positions[receiver])
    guard from.group != to.group else { return 0..<0 }
    let folded = part(
      of: elements(ofGroup: to.group, in: bucket), owner: from.localRank,
      owners: groups[from.group].count)
    let owned = elements(of: receiver, in: bucket)
    return folded.overlaps(owned) ? folded.clamped(to: owned) : 0..<0
  }

  /// The rank of a group to which another group's rank gives what it owns, for all of that group.
  func receiver(in group: Int, of sender: Int) -> Int {
    groups[group][positions[sender].localRank % groups[group].count]
  }

  private func part(of range: Range<Int>, owner: Int, owners: Int) -> Range<Int> {
    let lines = (range.count + alignment - 1) / alignment
    let part = evenPart(of: lines, owner: owner, owners: owners)
    func element(_ line: Int) -> Int {
      min(range.lowerBound + line * alignment, range.upperBound)
    }
    return element(part.lowerBound)..<element(part.upperBound)
  }
}
