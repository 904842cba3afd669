import Communication
import Testing

/// An error with a status of its own.
private struct BadFile: ExitStatusProviding, CustomStringConvertible {
  var exitStatus: Int32 = 65
  var description: String { "train.h5: no such file" }
}

private struct Unknown: Error, CustomStringConvertible {
  var description: String { "unknown" }
}

@Suite("Communicator of one process")
struct SoloCommunicatorTests {
  let communicator: any Communicator = SoloCommunicator()

  @Test("is rank 0 of 1 and root")
  func rank() {
    #expect(communicator.rank == 0 && communicator.size == 1 && communicator.isRoot)
    #expect(communicator.placement.ranksOnHost == [0])
    #expect(communicator.placement.ownCoreCount >= 1)
  }

  @Test("collectives leave its values as they are")
  func identity() throws {
    try communicator.barrier()
    var bytes: [UInt8] = [1, 2, 3]
    try communicator.broadcast(&bytes, from: 0)
    #expect(bytes == [1, 2, 3])
    #expect(try communicator.allgather([4, 5]) == [[4, 5]])
    var integers: [Int64] = [7, -8]
    for reduction in Reduction.allCases { try communicator.allreduce(&integers, reduction) }
    #expect(integers == [7, -8])
    var floats: [Float] = [0.1, .nan]
    try communicator.allreduce(&floats)
    #expect(floats[0] == 0.1 && floats[1].isNaN)
    #expect(try communicator.firstRank(where: true) == 0)
    #expect(try communicator.firstRank(where: false) == nil)
    try communicator.requireSame("anything", named: "text")
  }

  @Test("an exchange copies its range")
  func exchange() throws {
    let exchange = try communicator.prepareExchange(sending: [1..<3], receiving: [2..<4])
    let source: [Float] = [9, 1, 2, 9]
    var destination: [Float] = [0, 0, 0, 0, 0]
    try source.withUnsafeBufferPointer { from in
      try destination.withUnsafeMutableBufferPointer {
        try communicator.alltoall(exchange, from: from, into: $0)
      }
    }
    #expect(destination == [0, 0, 1, 2, 0])
  }

  @Test("ranges past 2³¹ − 1 are refused")
  func tooLarge() {
    let end = Int(Int32.max) + 1
    #expect {
      try communicator.prepareShards([0..<end])
    } throws: { error in
      let text =
        "vector shared by all ranks: 2147483648 elements, at most 2147483647 can be sent at once"
      return "\(error)" == text && (error as? CommunicationError)?.exitStatus == 78
    }
  }

  @Test("an error keeps its text and status, without a prefix")
  func failure() {
    #expect {
      try communicator.together { throw BadFile() }
    } throws: { error in
      var lines: [String] = []
      let status = communicator.leave(after: error) { lines.append($0) }
      return status == 65 && lines == ["train.h5: no such file"]
    }
  }

  @Test("an error without a status, or with one that reads as success, counts as our bug")
  func statuses() {
    for error in [Unknown(), BadFile(exitStatus: 0), BadFile(exitStatus: 256)] as [any Error] {
      var lines: [String] = []
      #expect(communicator.leave(after: error) { lines.append($0) } == 70)
      #expect(lines.count == 1)
    }
  }
}
