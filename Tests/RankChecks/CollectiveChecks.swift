// The collectives give the right values on any number of ranks, for counts 0, 1, a prime and 2²⁰ + 1.

import Communication

typealias Check = @Sendable (any Communicator, CheckOptions) throws -> Void

let checks: [String: Check] = [
  "collectives": checkCollectives,
  "differ": differ,
  "exchange": checkExchanges,
  "fail": fail,
  "latency": measureLatency,
  "lost": lose,
  "placement": checkPlacement,
]

@Sendable
private func checkCollectives(_ communicator: any Communicator, _ options: CheckOptions) throws {
  try checkSizes(communicator)
  try checkBroadcast(communicator)
  try checkGather(communicator)
  try checkIntegers(communicator)
  try checkFloats(communicator)
  try checkFirstRank(communicator)
  try checkSame(communicator)
  try communicator.barrier()
}

@Sendable
private func checkExchanges(_ communicator: any Communicator, _ options: CheckOptions) throws {
  for count in counts { try checkExchange(communicator, count: count) }
  for count in counts { try checkShards(communicator, count: count) }
}

private let counts = [0, 1, 10_007, (1 << 20) + 1]

private func checkSizes(_ communicator: any Communicator) throws {
  try require((0..<communicator.size).contains(communicator.rank), "rank out of range")
}

private func checkBroadcast(_ communicator: any Communicator) throws {
  for count in counts {
    for root in 0..<communicator.size {
      func value(_ i: Int, of rank: Int) -> UInt8 { UInt8(truncatingIfNeeded: i * 7 + rank * 31) }
      // The others bring bytes of their own, of another count, which must not survive.
      let own = communicator.rank == root ? count : communicator.rank
      var bytes = (0..<own).map { value($0, of: communicator.rank) }
      try communicator.broadcast(&bytes, from: root)
      try require(
        bytes == (0..<count).map { value($0, of: root) }, "broadcast of \(count) from \(root)")
    }
  }
}

private func checkGather(_ communicator: any Communicator) throws {
  func part(of rank: Int, _ count: Int) -> [UInt8] {
    // Counts differ by rank; one of them is 0.
    (0..<count * rank).map { UInt8(truncatingIfNeeded: $0 * 3 + rank) }
  }
  for count in [0, 1, 10_007] {
    let all = try communicator.allgather(part(of: communicator.rank, count))
    try require(
      all == (0..<communicator.size).map { part(of: $0, count) }, "allgather of \(count) × rank")
  }
  for count in counts {
    func record(of rank: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: $0 * 5 + rank * 17) }
    }
    let own = record(of: communicator.rank)
    var all = [UInt8](repeating: 0, count: count * communicator.size)
    try own.withUnsafeBytes { from in
      try all.withUnsafeMutableBytes { try communicator.allgather(from: from, into: $0) }
    }
    try require(
      all == (0..<communicator.size).flatMap(record(of:)), "allgather of records of \(count)")
  }
}

private func checkIntegers(_ communicator: any Communicator) throws {
  let size = Int64(communicator.size)
  for count in counts {
    for reduction in Reduction.allCases {
      var values = (0..<count).map { Int64($0) + Int64(communicator.rank + 1) << 40 }
      try communicator.allreduce(&values, reduction)
      let expected = (0..<Int64(count)).map { i in
        switch reduction {
        case .sum: i * size + (size * (size + 1) / 2) << 40
        case .min: i + 1 << 40
        case .max: i + size << 40
        }
      }
      try require(values == expected, "allreduce (\(reduction)) of \(count) integers")
    }
  }
}

private func checkFloats(_ communicator: any Communicator) throws {
  let size = communicator.size
  for count in counts {
    var values = (0..<count).map { Float(($0 % 1000) * (communicator.rank + 1)) }
    try communicator.allreduce(&values)
    let factor = size * (size + 1) / 2
    try require(
      values == (0..<count).map { Float(($0 % 1000) * factor) }, "allreduce of \(count) floats")
  }
}

private func checkFirstRank(_ communicator: any Communicator) throws {
  try require(try communicator.firstRank(where: false) == nil, "no rank")
  for first in 0..<communicator.size {
    let found = try communicator.firstRank(where: communicator.rank >= first)
    try require(found == first, "first rank is \(String(describing: found)), not \(first)")
  }
}

private func checkSame(_ communicator: any Communicator) throws {
  try communicator.requireSame("one\ntwo", named: "text")
  try communicator.requireSame("", named: "nothing")
  // Ranks 0 and 1 have the same value, so that two ranks agree and more do not.
  var found: Disagreement?
  do {
    try communicator.requireSame("a\n\(communicator.rank / 2)\nc", named: "text")
  } catch {
    guard case .differs(let disagreement) = error else { throw error }
    found = disagreement
  }
  let text = found?.description ?? "no difference"
  let expected =
    communicator.size > 2 ? "text differs in line 2: ranks 0–1: '0', rank" : "no difference"
  try require(text.hasPrefix(expected), text)
}

/// Rank r sends rank s a range of `count` · (r + 1) / (s + 2) elements, so that no two agree.
private func checkExchange(_ communicator: any Communicator, count: Int) throws {
  let (rank, size) = (communicator.rank, communicator.size)
  func extent(from sender: Int, to receiver: Int) -> Int { count * (sender + 1) / (receiver + 2) }
  func value(from sender: Int, to receiver: Int, _ i: Int) -> Float {
    Float((i + 1) * (sender * size + receiver + 1) % 8191)
  }
  func ranges(_ counts: [Int], gap: Int) -> [Range<Int>] {
    var end = 0
    return counts.map { count in
      let range = end + gap..<end + gap + count
      end = range.upperBound
      return range
    }
  }
  let sending = ranges((0..<size).map { extent(from: rank, to: $0) }, gap: 3)
  // Received in the other order of ranks than they are numbered.
  let receiving = Array(
    ranges((0..<size).reversed().map { extent(from: $0, to: rank) }, gap: 1).reversed())
  let exchange = try communicator.prepareExchange(sending: sending, receiving: receiving)
  var source = [Float](repeating: -1, count: exchange.sendExtent)
  for (receiver, range) in sending.enumerated() {
    for (i, position) in range.enumerated() {
      source[position] = value(from: rank, to: receiver, i)
    }
  }
  var destination = [Float](repeating: -2, count: exchange.receiveExtent)
  // Twice, because a prepared exchange is used for every step.
  for _ in 0..<2 {
    try source.withUnsafeBufferPointer { from in
      try destination.withUnsafeMutableBufferPointer {
        try communicator.alltoall(exchange, from: from, into: $0)
      }
    }
  }
  var expected = [Float](repeating: -2, count: exchange.receiveExtent)
  for (sender, range) in receiving.enumerated() {
    for (i, position) in range.enumerated() {
      expected[position] = value(from: sender, to: rank, i)
    }
  }
  try require(destination == expected, "exchange of \(count)")
}

private func checkShards(_ communicator: any Communicator, count: Int) throws {
  let (rank, size) = (communicator.rank, communicator.size)
  // Uneven, and the first rank owns nothing when there are several.
  let ends = (0...size).map { size == 1 ? count * $0 : count * max(0, $0 - 1) / (size - 1) }
  let ranges = (0..<size).map { ends[$0]..<ends[$0 + 1] }
  let shards = try communicator.prepareShards(ranges)
  try require(shards.extent == count, "extent \(shards.extent) of \(count)")
  var values = [Float](repeating: -1, count: count)
  for i in ranges[rank] { values[i] = Float(i * 3 % 8191 + rank) }
  try values.withUnsafeMutableBufferPointer { try communicator.allgather(shards, in: $0) }
  for (owner, range) in ranges.enumerated() {
    for i in range {
      try require(values[i] == Float(i * 3 % 8191 + owner), "shard of rank \(owner) at \(i)")
    }
  }
}
