// Values of any bitwise copyable type, gathered as bytes.

extension Communicator {
  /// Returns the values of all ranks, in rank order; counts may differ between ranks.
  ///
  /// Collective, checked. Meant for set-up: it allocates.
  ///
  /// - Parameter own: The values of this rank.
  /// - Returns: One array per rank.
  /// - Throws: The errors of ``allgather(_:)``.
  /// - Complexity: O(values of all ranks) in memory and bytes received.
  public func allgather<Value: BitwiseCopyable>(
    values own: [Value]
  ) throws(CommunicationError) -> [[Value]] {
    try allgather(own.withUnsafeBytes { Array($0) }).map { bytes in
      bytes.withUnsafeBytes { bytes in
        stride(from: 0, to: bytes.count, by: MemoryLayout<Value>.stride).map {
          bytes.loadUnaligned(fromByteOffset: $0, as: Value.self)
        }
      }
    }
  }

  /// Returns the value of each rank, in rank order.
  ///
  /// Collective, checked. Meant for set-up: it allocates.
  ///
  /// - Parameter own: The value of this rank.
  /// - Returns: One value per rank.
  /// - Throws: The errors of ``allgather(_:)``.
  public func allgather<Value: BitwiseCopyable>(
    value own: Value
  ) throws(CommunicationError) -> [Value] {
    try allgather(values: [own]).map { $0[0] }
  }
}
