// Not a check: prints what the collectives of the hot path cost.

import Communication

@Sendable
func measureLatency(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let byteCount = Int(options[0] ?? "") ?? 64
  let own = [UInt8](repeating: UInt8(communicator.rank), count: byteCount)
  var all = [UInt8](repeating: 0, count: byteCount * communicator.size)
  var medians: [(String, Duration)] = []
  func measure(_ name: String, _ body: () throws -> Void) throws {
    var times: [Duration] = []
    for _ in 0..<200 { try body() }
    for _ in 0..<50 {
      let clock = ContinuousClock()
      let time = try clock.measure { for _ in 0..<20 { try body() } }
      times.append(time / 20)
    }
    medians.append((name, times.sorted()[times.count / 2]))
  }
  try measure("allgather of \(byteCount) bytes") {
    try own.withUnsafeBytes { from in
      try all.withUnsafeMutableBytes { try communicator.allgather(from: from, into: $0) }
    }
  }
  try measure("firstRank") { _ = try communicator.firstRank(where: false) }
  try measure("barrier") { try communicator.barrier() }
  guard communicator.isRoot else { return }
  for (name, time) in medians {
    let microseconds = (Double(time / .nanoseconds(1)) / 10).rounded() / 100
    print("\(communicator.size) ranks, \(name): \(microseconds) µs")
  }
}
