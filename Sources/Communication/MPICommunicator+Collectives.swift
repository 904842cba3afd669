// The collectives. Checked ones first agree on the call, in one small MPI_Allreduce.

import CMPI

extension MPICommunicator {
  /// Returns when all ranks have called it.
  public func barrier() throws(CommunicationError) {
    // The agreement itself returns only when all ranks have called it.
    try agree(on: Signature(.barrier))
  }

  /// Replaces `bytes` on every rank with those of `root`.
  public func broadcast(_ bytes: inout [UInt8], from root: Int) throws(CommunicationError) {
    precondition((0..<size).contains(root), "root \(root) of \(size) ranks")
    try agree(on: Signature(.broadcast, type: .byte, argument: Int64(root)))
    scratch[0] = Int64(bytes.count)
    try watched(.broadcast, "MPI_Bcast of a count") {
      MPI_Bcast(scratch, 1, cmpi_int64(), Int32(root), world)
    }
    let count = Int(scratch[0])
    if rank != root { bytes = [UInt8](repeating: 0, count: count) }
    try bytes.withUnsafeMutableBufferPointer { buffer throws(CommunicationError) in
      try inPieces(count, of: 1) { offset, part throws(CommunicationError) in
        try watched(.broadcast, "MPI_Bcast") {
          MPI_Bcast(buffer.baseAddress.map { $0 + offset }, part, cmpi_byte(), Int32(root), world)
        }
      }
    }
  }

  /// Returns the bytes of all ranks, in rank order.
  public func allgather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    try agree(on: Signature(.allgather, type: .byte))
    return try gather(bytes)
  }

  /// Writes the records of all ranks, equal in length, into `all`, in rank order.
  public func allgather(
    from record: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer
  ) throws(CommunicationError) {
    precondition(
      all.count == size * record.count && record.count <= Int(Int32.max),
      "room for \(all.count) bytes, not \(size) times \(record.count)")
    let count = Int32(truncatingIfNeeded: record.count)
    try watched(.allgather, "MPI_Allgather") {
      MPI_Allgather(
        record.baseAddress, count, cmpi_byte(), all.baseAddress, count, cmpi_byte(), world)
    }
  }

  /// Replaces each value with its sum, minimum or maximum over the ranks.
  public func allreduce(
    _ values: inout [Int64], _ reduction: Reduction
  ) throws(CommunicationError) {
    try agree(
      on: Signature(
        .allreduce, count: values.count, type: .int64, argument: reduction.rawValue))
    let operation =
      switch reduction {
      case .sum: cmpi_sum()
      case .min: cmpi_min()
      case .max: cmpi_max()
      }
    try values.withUnsafeMutableBufferPointer { buffer throws(CommunicationError) in
      try inPieces(buffer.count, of: 8) { offset, part throws(CommunicationError) in
        try watched(.allreduce, "MPI_Allreduce of 64-bit integers") {
          MPI_Allreduce(
            cmpi_in_place(), buffer.baseAddress.map { $0 + offset }, part, cmpi_int64(), operation,
            world)
        }
      }
    }
  }

  /// Replaces `values` on every rank with the sum over all ranks.
  public func allreduce(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError) {
    try agree(on: Signature(.allreduce, count: values.count, type: .float))
    try inPieces(values.count, of: 4) { offset, part throws(CommunicationError) in
      try watched(.allreduce, "MPI_Allreduce of floats") {
        MPI_Allreduce(
          cmpi_in_place(), values.baseAddress.map { $0 + offset }, part, cmpi_float(), cmpi_sum(),
          world)
      }
    }
  }

  /// Returns the lowest rank on which `condition` holds, or nil if it holds nowhere.
  public func firstRank(where condition: Bool) throws(CommunicationError) -> Int? {
    scratch[0] = Int64(condition ? rank : size)
    try watched(.agreement, "MPI_Allreduce of one integer") {
      MPI_Allreduce(cmpi_in_place(), scratch, 1, cmpi_int64(), cmpi_min(), world)
    }
    return scratch[0] == Int64(size) ? nil : Int(scratch[0])
  }

  /// Begins to send and receive the ranges of an exchange.
  public func start(
    _ exchange: FloatExchange, from source: UnsafeMutableBufferPointer<Float>,
    into destination: UnsafeMutableBufferPointer<Float>
  ) throws(CommunicationError) {
    precondition(!exchange.isUnderWay, "an exchange was started twice")
    exchange.requireRoom(source: source.count, destination: destination.count)
    exchange.isUnderWay = true
    var request = exchange.requests
    for message in exchange.receipts {
      try check(
        MPI_Irecv(
          destination.baseAddress.map { $0 + message.range.lowerBound },
          Int32(message.range.count), cmpi_float(), message.rank, exchange.tag, world, request),
        "MPI_Irecv of floats")
      request += 1
    }
    for message in exchange.sends {
      try check(
        MPI_Isend(
          source.baseAddress.map { $0 + message.range.lowerBound }, Int32(message.range.count),
          cmpi_float(), message.rank, exchange.tag, world, request), "MPI_Isend of floats")
      request += 1
    }
  }

  /// Advances an exchange and returns whether it is complete.
  public func progress(_ exchange: FloatExchange) throws(CommunicationError) -> Bool {
    guard exchange.isUnderWay else { return true }
    var isDone: Int32 = 0
    try check(
      MPI_Testall(
        Int32(exchange.requestCount), exchange.requests, &isDone, cmpi_statuses_ignore()),
      "MPI_Testall")
    exchange.isUnderWay = isDone == 0
    return isDone != 0
  }

  /// Waits for all messages of an exchange.
  public func finish(_ exchange: FloatExchange) throws(CommunicationError) {
    guard exchange.isUnderWay else { return }
    try watched(.exchange, "MPI_Waitall of an exchange of floats") {
      MPI_Waitall(Int32(exchange.requestCount), exchange.requests, cmpi_statuses_ignore())
    }
    exchange.isUnderWay = false
  }

  /// Replaces `values` on every rank with the sum over all ranks, in MPI's own order.
  ///
  /// Collective, not checked; a baseline of benchmarks.
  ///
  /// - Parameter values: This rank's addend on entry, the sum on return; fewer than 2³¹.
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  package func sumInFreeOrder(
    _ values: UnsafeMutableBufferPointer<Float>
  ) throws(CommunicationError) {
    try watched(.allreduce, "MPI_Allreduce of floats") {
      MPI_Allreduce(
        cmpi_in_place(), values.baseAddress, Int32(values.count), cmpi_float(), cmpi_sum(), world)
    }
  }

  /// Runs `wait` under the watchdog.
  public func watchWait(_ wait: () -> Void) { watchedWait(wait) }
}

extension MPICommunicator {
  /// Calls `body` for pieces of at most 1 GiB: MPI counts in 32 bits.
  private func inPieces(
    _ count: Int, of byteCount: Int,
    _ body: (_ offset: Int, _ part: Int32) throws(CommunicationError) -> Void
  ) throws(CommunicationError) {
    let limit = (1 << 30) / byteCount
    var offset = 0
    while offset < count {
      let part = min(limit, count - offset)
      try body(offset, Int32(part))
      offset += part
    }
  }

  private func gather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    // Two MPI calls, which the watchdog counts as one.
    try watching(.allgather) { () throws(CommunicationError) in
      try MPICommunicator.gather(bytes, size: size, over: world)
    }
  }

  /// Throws on all ranks unless all of them pass the same signature.
  ///
  /// One MPI_Allreduce of eight integers for every kind of call, so that even different collectives meet
  /// here: the maxima of each field and of its negative show whether all are equal.
  private func agree(on signature: Signature) throws(CommunicationError) {
    for i in 0..<4 {
      scratch[i] = signature[i]
      scratch[i + 4] = -signature[i]
    }
    try watched(signature.collective, "MPI_Allreduce of a signature") {
      MPI_Allreduce(cmpi_in_place(), scratch, 8, cmpi_int64(), cmpi_max(), world)
    }
    for i in 0..<4 where scratch[i] != -scratch[i + 4] {
      let all = try gather(Array(signature.description.utf8))
      throw .collectivesDiffer(all.map { String(decoding: $0, as: UTF8.self) })
    }
  }
}

/// The collective that one rank is about to call, with its arguments.
private struct Signature {
  enum ScalarType: Int64 {
    case none, byte, int64, float
  }

  var collective: Collective
  var count: Int
  var type: ScalarType
  /// The root of a broadcast, the kind of a reduction.
  var argument: Int64

  init(_ collective: Collective, count: Int = 0, type: ScalarType = .none, argument: Int64 = 0) {
    self.collective = collective
    self.count = count
    self.type = type
    self.argument = argument
  }

  subscript(i: Int) -> Int64 {
    switch i {
    case 0: Int64(collective.rawValue)
    case 1: Int64(count)
    case 2: type.rawValue
    default: argument
    }
  }

  var description: String {
    switch collective {
    case .broadcast: "broadcast from \(argument)"
    case .allreduce where type == .int64:
      "allreduce (\(Reduction(rawValue: argument).map { "\($0)" } ?? "")) of \(count) Int64"
    case .allreduce: "allreduce (sum) of \(count) Float"
    default: collective.name
    }
  }
}
