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
    #expect(try communicator.allgather(values: [1.5, -2]) == [[1.5, -2]])
    #expect(try communicator.allgather(value: 7) == [7])
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

  @Test("an exchange of nothing is done at once")
  func exchange() throws {
    let exchange = try communicator.prepareExchange(sending: [0..<0], receiving: [0..<0])
    var values: [Float] = [9, 1]
    try values.withUnsafeMutableBufferPointer {
      try communicator.start(exchange, from: $0, into: $0)
    }
    #expect(try communicator.progress(exchange))
    try communicator.finish(exchange)
    #expect(values == [9, 1])
  }

  @Test("is a group of its own, with memory of zeros")
  func group() throws {
    let group = try RankGroup(communicator)
    #expect(group.groups == [[0]] && group.isWholeJob && group.isLeader)
    group.barrier()
    let memory = try group.allocate(byteCount: 5000)
    let segment = try #require(memory.segments.first)
    #expect(memory.segments.count == 1 && segment.count >= 5000)
    #expect(segment.allSatisfy { $0 == 0 })
    segment.copyBytes(from: [UInt8](repeating: 7, count: 5000))
    #expect(segment.prefix(5000).allSatisfy { $0 == 7 })
  }

  @Test("an error keeps its text and status, without a prefix")
  func failure() {
    #expect {
      try communicator.agreeingOnFailure { throw BadFile() }
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
