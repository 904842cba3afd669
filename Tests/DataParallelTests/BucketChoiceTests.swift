// The length of buckets, which is measured: whatever the times are, all ranks choose alike.

import Communication
import DataParallel
import Synchronization
import TestSupport
import Testing

@Suite("Length of buckets", .timeLimit(.minutes(5)))
struct BucketChoiceTests {
  private func choices(_ hosts: [[Int]], count: Int) throws -> [Int?] {
    let choices = Mutex([Int?](repeating: -1, count: hosts.joined().count))
    try onThreads(hosts: hosts) { communicator in
      let length = try BucketChoice.measure(
        count: count, group: RankGroup(communicator), communicator: communicator)
      choices.withLock { $0[communicator.rank] = length }
    }
    return choices.withLock { $0 }
  }

  @Test("is none where ranks share memory or the vector is short")
  func none() throws {
    #expect(try choices([[0, 1, 2]], count: 1 << 20) == [nil, nil, nil])
    #expect(try choices([[0], [1]], count: 1 << 16) == [nil, nil])
  }

  @Test(
    "is one of the lengths that fit, the same on all ranks",
    arguments: [[[0], [1]], [[0, 1], [2]], [[0, 3], [1, 2], [4]]])
  func same(hosts: [[Int]]) throws {
    for (count, lengths) in [
      ((1 << 16) + 1, [1 << 16]), (1 << 18, [1 << 16]), (1 << 19, [1 << 16, 1 << 18]),
      (1 << 21, [1 << 16, 1 << 18, 1 << 20]),
    ] {
      let found = Set(try choices(hosts, count: count))
      #expect(found.count == 1, "\(found)")
      #expect(found.isSubset(of: Set(lengths)), "\(found) of \(count)")
    }
  }
}
