// Groups of ranks that share memory, with ranks that are threads.

import Communication
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("Group of ranks", .serialized, .timeLimit(.minutes(5)))
struct RankGroupTests {
  @Test("is the ranks of a host in order, cut where there are more than may share memory")
  func groups() throws {
    for hosts in [
      [[0]], [[0, 1, 2]], [[0, 2], [1, 3, 4]], [[0], [1], [2]], [[0, 1], [2, 3, 4, 5]],
    ] {
      for limit in [nil, 1, 2, 3] {
        let expected = hosts.flatMap { host in
          let length = limit ?? host.count
          return stride(from: 0, to: host.count, by: length).map {
            Array(host[$0..<min($0 + length, host.count)])
          }
        }.sorted { $0[0] < $1[0] }
        try onThreads(hosts: hosts) { communicator in
          let group = try RankGroup(communicator, limit: limit)
          let rank = communicator.rank
          let team = "rank \(rank) of hosts \(hosts) with limit \(limit ?? 0)"
          try require(group.groups == expected, "\(team) found \(group.groups)")
          try require(
            group.members[group.localRank] == rank, "\(team) has place \(group.localRank)")
          try require(group.isLeader == (rank == group.members[0]), "\(team) leads or not")
          try require(group.isWholeJob == (expected.count == 1), "\(team) is the whole job or not")
        }
      }
    }
  }

  @Test(
    "lets no rank through a barrier before all have come, whether ranks spin or sleep",
    arguments: [2, 3, 4, 7], [1, 64])
  func barrier(ranks: Int, cores: Int) throws {
    let count = cores == 1 ? 100 : 50
    try onThreads(ranks: ranks, coresOfHost: cores) { communicator in
      let group = try RankGroup(communicator)
      let memory = try group.allocate(byteCount: MemoryLayout<Int>.size)
      let rounds = memory.segments.map { $0.bindMemory(to: Int.self) }
      for number in 1...count {
        // Each rank is the last one now and then.
        if number % ranks == communicator.rank, number % 50 < ranks { usleep(200) }
        rounds[group.localRank][0] = number
        group.barrier()
        for other in 0..<ranks {
          let found = rounds[other][0]
          try require(found == number, "left barrier \(number) while rank \(other) was at \(found)")
        }
        group.barrier()
      }
    }
  }

  @Test("waits until another rank brings a condition about", arguments: [1, 64])
  func condition(cores: Int) throws {
    let turn = Mutex(0)
    try onThreads(ranks: 3, coresOfHost: cores) { communicator in
      let group = try RankGroup(communicator)
      // A token goes round: each rank waits for the one before it.
      for number in 0..<20 {
        let own = 3 * number + communicator.rank
        group.wait { turn.withLock { $0 >= own } }
        let found = turn.withLock { turn in
          turn += 1
          return turn - 1
        }
        try require(found == own, "took turn \(found), expected \(own)")
      }
    }
  }
}

/// An error of one rank.
private struct BadFile: Error, CustomStringConvertible {
  let rank: Int
  var description: String { "file of rank \(rank)" }
}

@Suite("Agreement of ranks", .timeLimit(.minutes(5)))
struct AgreementTests {
  @Test(
    "on work is the error of the lowest rank that failed, on all ranks",
    arguments: [[], [0], [2], [1, 3], [0, 1, 2, 3]])
  func together(failing: [Int]) throws {
    try onThreads(ranks: 4) { communicator in
      let rank = communicator.rank
      let text = message {
        try communicator.agreeingOnFailure {
          if failing.contains(rank) { throw BadFile(rank: rank) }
        }
      }
      try require(text == failing.first.map { "file of rank \($0)" } ?? "no error", text)
    }
  }

  @Test("on a value names the ranks and what they have")
  func same() throws {
    for (values, expected) in [
      (["a", "a", "a"], "no error"),
      (["a", "b", "a"], "x differs: ranks 0, 2: 'a', rank 1: 'b'"),
    ] {
      try onThreads(ranks: 3) { communicator in
        let text = message { try communicator.requireSame(values[communicator.rank], named: "x") }
        try require(text == expected, text)
      }
    }
  }

  @Test("on who sends what to whom: every range arrives, and another count is refused by name")
  func exchange() throws {
    for ranks in 2...4 {
      for tag in [0, 7] {
        try onThreads(ranks: ranks) { communicator in
          let rank = communicator.rank
          // Rank r sends r + s + 1 numbers to rank s.
          var (sent, got) = (0, 0)
          var (sending, receiving) = ([Range<Int>](), [Range<Int>]())
          for other in 0..<ranks {
            let count = other == rank ? 0 : rank + other + 1
            sending.append(sent..<sent + count)
            receiving.append(got..<got + count)
            (sent, got) = (sent + count, got + count)
          }
          let exchange = try communicator.prepareExchange(
            sending: sending, receiving: receiving, tag: tag)
          var source = (0..<sent).map { Float(100 * rank + $0) }
          var destination = [Float](repeating: -1, count: got)
          try source.withUnsafeMutableBufferPointer { source in
            try destination.withUnsafeMutableBufferPointer { destination in
              try communicator.start(exchange, from: source, into: destination)
              try communicator.finish(exchange)
            }
          }
          for other in 0..<ranks where other != rank {
            // What the other sent before it came to this rank.
            let offset = (0..<rank).reduce(0) { $0 + ($1 == other ? 0 : other + $1 + 1) }
            let expected = (0..<rank + other + 1).map { Float(100 * other + offset + $0) }
            let found = Array(destination[receiving[other]])
            try require(found == expected, "got \(found) from rank \(other), expected \(expected)")
          }
          var wrong = receiving
          if rank == 1 { wrong[0] = 0..<1 }
          let text = message {
            _ = try communicator.prepareExchange(sending: sending, receiving: wrong)
          }
          try require(text == "rank 0 sends 2 floats to rank 1, which expects 1", text)
        }
      }
    }
  }
}
