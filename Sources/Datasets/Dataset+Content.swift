// The rows that one process has read, for the other processes of its host.

extension Dataset {
  /// The rows that were read from a file, for other processes of the host.
  public struct Content: Sendable {
    /// The file that was read.
    public let identity: FileIdentity
    /// The ``Dataset/fingerprint`` of the file.
    public let fingerprint: String
    /// All samples; nil if they stay in the file.
    public let samples: RowMemory?
    /// All labels or responses; nil if they stay in the file or do not exist.
    public let targets: RowMemory?

    /// Creates the content that another process has read.
    public init(
      identity: FileIdentity, fingerprint: String, samples: RowMemory?, targets: RowMemory?
    ) {
      self.identity = identity
      self.fingerprint = fingerprint
      self.samples = samples
      self.targets = targets
    }
  }

  /// The rows that were read from the file.
  public var content: Content {
    Content(
      identity: identity, fingerprint: fingerprint, samples: samples.memory,
      targets: responses.map(\.memory) ?? labelMemory)
  }

  /// The number of bytes of samples, labels and responses in memory, shared or not.
  public var memoryByteCount: Int {
    let stores = [samples, responses].compactMap { $0 }.filter(\.isInMemory)
    return stores.reduce(labels.count * MemoryLayout<Int32>.stride) { $0 + $1.byteCount }
  }
}
