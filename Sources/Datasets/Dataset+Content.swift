// What one process has read of a file, for the others of its host.

extension Dataset {
  /// The content that was read of a file, for other processes of the host.
  public struct Content: Sendable {
    /// The file that was read.
    public let identity: FileIdentity
    /// ``Dataset/fingerprint``.
    public let fingerprint: String
    /// All samples; nil where they stay in the file.
    public let samples: RowMemory?
    /// All labels or responses; nil where they stay in the file or there are none.
    public let targets: RowMemory?

    /// The content that another process has read.
    public init(
      identity: FileIdentity, fingerprint: String, samples: RowMemory?, targets: RowMemory?
    ) {
      self.identity = identity
      self.fingerprint = fingerprint
      self.samples = samples
      self.targets = targets
    }
  }

  /// The content that was read of the file.
  public var content: Content {
    Content(
      identity: identity, fingerprint: fingerprint, samples: samples.memory,
      targets: responses.map(\.memory) ?? labelMemory)
  }

  /// The bytes of samples, labels and responses in memory, shared or not.
  public var memoryByteCount: Int {
    let stores = [samples, responses].compactMap { $0 }.filter(\.isInMemory)
    return stores.reduce(labels.count * MemoryLayout<Int32>.stride) { $0 + $1.byteCount }
  }
}
