// Ranks that disagree are refused, a rank that fails ends the job with one line and its status, and
// one that is killed or stopped ends it in seconds.

import Communication
import Foundation

/// Provokes a disagreement of the named kind, which must be refused.
@Sendable
func differ(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let isLast = communicator.rank == communicator.size - 1
  switch options[0] {
  case "count":
    var values = [Int64](repeating: 1, count: isLast ? 5 : 4)
    try communicator.allreduce(&values, .sum)
  case "type":
    if isLast {
      // As many bytes: MPI alone would report success.
      var values = [Int64](repeating: 1, count: 2048)
      try communicator.allreduce(&values, .sum)
    } else {
      var values = [Float](repeating: 1, count: 4096)
      try communicator.allreduce(&values)
    }
  case "reduction":
    var values: [Int64] = [1]
    try communicator.allreduce(&values, isLast ? .min : .max)
  case "root":
    var bytes: [UInt8] = [1]
    try communicator.broadcast(&bytes, from: isLast ? 1 : 0)
  case "collective":
    if isLast { try communicator.barrier() } else { _ = try communicator.allgather([1, 2]) }
  case "exchange":
    let range = 0..<(isLast ? 3 : 2)
    let empty = [Range<Int>](repeating: 0..<0, count: communicator.size)
    // Every rank expects two floats from the last, which sends three to rank 0.
    var sending = empty
    var receiving = empty
    if isLast { sending[0] = range }
    if communicator.isRoot { receiving[communicator.size - 1] = range }
    _ = try communicator.prepareExchange(sending: sending, receiving: receiving)
  case "extent":
    // Refused on all ranks, though only one would go too far.
    let end = isLast ? Int(Int32.max) + 1 : 0
    var sending = [Range<Int>](repeating: 0..<0, count: communicator.size)
    if isLast { sending[0] = 0..<end }
    let receiving = [Range<Int>](repeating: 0..<0, count: communicator.size)
    _ = try communicator.prepareExchange(sending: sending, receiving: receiving)
  case "value":
    try communicator.requireSame("binary \(isLast)", named: "program")
  default:
    throw CheckError("unknown disagreement", exitStatus: 64)
  }
}

/// Fails in the named way.
@Sendable
func fail(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let rank = communicator.rank
  switch options[0] {
  case "all":
    try communicator.agreeingOnFailure {
      throw CheckError("train.h5: no such file", exitStatus: 65)
    }
  case "one":
    let failing = try options.number(1)
    try communicator.agreeingOnFailure {
      if rank == failing { throw CheckError("row 7: label 12 of 10", exitStatus: 65) }
    }
  case "some":
    // Ranks fail for different reasons; the lowest that failed decides.
    try communicator.agreeingOnFailure {
      if rank > 0 { throw CheckError("reason \(rank)", exitStatus: Int32(70 + rank)) }
    }
  case "after":
    // Later work does not start, and the ranks can still talk.
    do {
      try communicator.agreeingOnFailure {
        if rank == 0 { throw CheckError("once", exitStatus: 3) }
      }
      throw CheckError("nothing was thrown")
    } catch let error as CommunicationError {
      guard case .failed(let failure) = error, failure.exitStatus == 3 else { throw error }
    }
    try communicator.barrier()
    let value = try communicator.agreeingOnFailure { 41 + 1 }
    try require(value == 42, "value of agreeingOnFailure")
  case "alone":
    // Not agreed on: the others are inside a collective.
    if rank == (try options.number(1)) { throw CheckError("disk full", exitStatus: 74) }
    try communicator.barrier()
  case "abort":
    if rank == (try options.number(1)) { communicator.abort(status: Int32(try options.number(2))) }
    try communicator.barrier()
  default:
    throw CheckError("unknown failure", exitStatus: 64)
  }
}

/// Loses a rank in the named way, while the others wait for it in a collective.
@Sendable
func lose(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let group = options[2] == "memory" ? try RankGroup(communicator) : nil
  try communicator.barrier()
  if communicator.rank == (try options.number(1)) {
    switch options[0] {
    case "killed": kill(getpid(), SIGKILL)
    case "stopped": kill(getpid(), SIGSTOP)
    case "crashed": abort()
    case "left": exit(0)
    // Slow is not lost: longer than the limit, but at work.
    case "slow": Thread.sleep(forTimeInterval: 3)
    default: throw CheckError("unknown loss", exitStatus: 64)
    }
  }
  if options[2] == "finish" { return }
  group?.barrier()
  try communicator.barrier()
  print("rank \(communicator.rank) went on")
}

/// The ranks of one host agree on who is there, and share its cores.
@Sendable
func checkPlacement(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let placement = communicator.placement
  try require(placement.ranksOnHost == Array(0..<communicator.size), "\(placement)")
  try require(placement.hostCount == 1, "\(placement)")
  try require(!placement.hostName.isEmpty && !placement.cores.isEmpty, "\(placement)")
  try require(placement.ownCoreCount >= 1, "\(placement)")
  var total = [Int64(placement.ownCoreCount)]
  try communicator.allreduce(&total, .sum)
  let limit = max(placement.coreCountOnHost, communicator.size)
  try require(total[0] <= Int64(limit), "\(total[0]) cores given out of \(limit)")
}
