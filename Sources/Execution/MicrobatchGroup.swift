/// The microbatches that a schedule computes together, and the order in which what they sum is added.
///
/// Their rows follow one another. How microbatches are grouped changes no bit of any of them.
public struct MicrobatchGroup: Hashable, Sendable {
  /// The sum of some neighbouring microbatches.
  public struct Sum: Hashable, Sendable {
    /// The microbatches, by their positions in the group.
    public let microbatches: Range<Int>
    /// For each microbatch, how many times the last two of the sums that are there are added once its own
    /// number is there: left plus right.
    public let additions: [Int]

    /// Creates a sum whose additions leave one number.
    public init(of microbatches: Range<Int>, additions: [Int]) {
      precondition(
        !microbatches.isEmpty && additions.count == microbatches.count
          && additions.reduce(0, +) == microbatches.count - 1,
        "additions \(additions) of microbatches \(microbatches)")
      self.microbatches = microbatches
      self.additions = additions
      var (count, most) = (0, 0)
      for merged in additions {
        count += 1
        most = max(most, count)
        count -= merged
        precondition(count > 0, "additions \(additions) of too few numbers")
      }
      largestCount = most
    }

    /// The most sums that are there at once.
    public let largestCount: Int
  }

  /// The rows of each microbatch, counted from the first row of the group; none is empty.
  public let rows: [Range<Int>]
  /// The sums that are wanted, which cover the microbatches in order.
  public let sums: [Sum]

  /// Groups neighbouring microbatches.
  ///
  /// - Parameters:
  ///   - rowCounts: The number of rows of each microbatch, at least 1.
  ///   - sums: The sums that are wanted, which cover the microbatches in order.
  public init(rowCounts: [Int], sums: [Sum]) {
    precondition(
      !rowCounts.isEmpty && rowCounts.allSatisfy { $0 > 0 }, "microbatches of \(rowCounts)")
    precondition(
      sums.flatMap(\.microbatches).elementsEqual(rowCounts.indices),
      "sums of \(sums.map(\.microbatches)) of \(rowCounts.count) microbatches")
    var end = 0
    rows = rowCounts.map { count in
      end += count
      return end - count..<end
    }
    self.sums = sums
  }

  /// One microbatch alone.
  public init(rowCount: Int) {
    self.init(rowCounts: [rowCount], sums: [Sum(of: 0..<1, additions: [0])])
  }

  /// The rows that are computed together.
  public var rowCount: Int { rows[rows.count - 1].upperBound }

  /// True for one microbatch alone.
  public var isSingle: Bool { rows.count == 1 }
}
