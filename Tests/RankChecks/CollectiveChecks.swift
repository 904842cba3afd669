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
  "memory": checkMemory,
  "order": printAnswer,
  "timing": checkTiming,
  "placement": checkPlacement,
  "rows": checkRows,
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
  func numbers(of rank: Int) -> [Double] { (0..<3 * rank).map { Double($0) / 7 - Double(rank) } }
  try require(
    try communicator.allgather(values: numbers(of: communicator.rank))
      == (0..<communicator.size).map(numbers(of:)), "allgather of 3 · rank numbers")
  try require(
    try communicator.allgather(value: communicator.rank) == Array(0..<communicator.size),
    "allgather of one number")
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

/// Rank r sends rank s a range of `count` · (r + 1) / (s + 2) elements, so that no two agree; two
/// exchanges are under way at once.
private func checkExchange(_ communicator: any Communicator, count: Int) throws {
  let (rank, size) = (communicator.rank, communicator.size)
  func extent(from sender: Int, to receiver: Int) -> Int {
    sender == receiver ? 0 : count * (sender + 1) / (receiver + 2)
  }
  func value(_ number: Int, from sender: Int, to receiver: Int, _ i: Int) -> Float {
    Float((i + 1 + number) * (sender * size + receiver + 1) % 8191)
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
  var exchanges: [FloatExchange] = []
  var buffers:
    [(source: UnsafeMutableBufferPointer<Float>, target: UnsafeMutableBufferPointer<Float>)] = []
  for number in 0..<2 {
    let exchange = try communicator.prepareExchange(
      sending: sending, receiving: receiving, tag: number)
    exchanges.append(exchange)
    let source = UnsafeMutableBufferPointer<Float>.allocate(capacity: exchange.sendExtent)
    source.initialize(repeating: -1)
    for (receiver, range) in sending.enumerated() {
      for (i, position) in range.enumerated() {
        source[position] = value(number, from: rank, to: receiver, i)
      }
    }
    let target = UnsafeMutableBufferPointer<Float>.allocate(capacity: exchange.receiveExtent)
    target.initialize(repeating: -2)
    buffers.append((source, target))
  }
  defer {
    for (source, target) in buffers {
      source.deallocate()
      target.deallocate()
    }
  }
  // Twice, because a prepared exchange is used for every step.
  for _ in 0..<2 {
    for (exchange, buffer) in zip(exchanges, buffers) {
      try communicator.start(exchange, from: buffer.source, into: buffer.target)
    }
    _ = try communicator.progress(exchanges[1])
    for exchange in exchanges { try communicator.finish(exchange) }
    for exchange in exchanges {
      try require(try communicator.progress(exchange), "an exchange that is finished is complete")
    }
  }
  for (number, buffer) in buffers.enumerated() {
    var expected = [Float](repeating: -2, count: buffer.target.count)
    for (sender, range) in receiving.enumerated() {
      for (i, position) in range.enumerated() {
        expected[position] = value(number, from: sender, to: rank, i)
      }
    }
    try require(Array(buffer.target) == expected, "exchange \(number) of \(count)")
  }
}

/// Groups of at most one, two and all ranks see each other's memory, and only their own group's.
@Sendable
private func checkMemory(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let (rank, size) = (communicator.rank, communicator.size)
  for limit in [1, 2, size, nil] {
    let group = try RankGroup(communicator, limit: limit)
    let length = limit ?? size
    let expected = stride(from: 0, to: size, by: length).map {
      Array($0..<min($0 + length, size))
    }
    try require(group.groups == expected, "groups \(group.groups), expected \(expected)")
    try require(
      group.members[group.localRank] == rank, "local rank \(group.localRank) of rank \(rank)")
    // Segments of different sizes, the first of several pages.
    let memory = try group.allocate(byteCount: 10_000 / (rank + 1) + 8)
    let words = memory.segments.map { $0.bindMemory(to: Int.self) }
    for round in 1...500 {
      let own = words[group.localRank]
      own[0] = round * (rank + 1)
      own[own.count - 1] = -round * (rank + 1)
      group.barrier()
      for (member, word) in zip(group.members, words) {
        try require(
          word[0] == round * (member + 1) && word[word.count - 1] == -round * (member + 1),
          "round \(round): rank \(member) wrote \(word[0])")
      }
      group.barrier()
    }
    memory.release(memory.segments[group.localRank])
    try require(memory.segments[group.localRank].allSatisfy { $0 == 0 }, "released memory is zeros")
    // Waiting for a word, not for a barrier.
    group.barrier()
    if group.isLeader { words[0][1] = 1 }
    group.wait { words[0].baseAddress.map { $0[1] } == 1 }
    try communicator.barrier()
  }
}
