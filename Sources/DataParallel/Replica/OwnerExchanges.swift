import Communication

/// The messages in which owners send the elements that they updated to the ranks of other groups.
struct OwnerExchanges {
  /// For each bucket, the elements that owners send to the other groups; none with one group.
  private(set) var sharing: [FloatExchange] = []
  /// For each bucket, the elements that owners in other groups send to root before a checkpoint.
  private(set) var collecting: [FloatExchange] = []

  /// True if there are no other groups.
  var isEmpty: Bool { sharing.isEmpty }

  /// Prepares the messages.
  ///
  /// Collective.
  init(
    _ elements: ElementDivision, _ communicator: any Communicator
  ) throws(CommunicationError) {
    guard elements.groups.count > 1 else { return }
    let (rank, size) = (communicator.rank, communicator.size)
    let ownGroup = elements.group(of: rank)
    let rootGroup = elements.group(of: communicator.root)
    let nothing = Array(repeating: 0..<0, count: size)
    for (index, bucket) in elements.buckets.enumerated() {
      var (sending, receiving) = (nothing, nothing)
      for group in elements.groups.indices where group != ownGroup {
        sending[elements.receiver(in: group, of: rank)] = elements.elements(of: rank, in: bucket)
        for other in elements.groups[group]
        where elements.receiver(in: ownGroup, of: other) == rank {
          receiving[other] = elements.elements(of: other, in: bucket)
        }
      }
      sharing.append(
        try communicator.prepareExchange(
          sending: sending, receiving: receiving,
          tag: MessageTag.parameters.value(ofBucket: index)))
      (sending, receiving) = (nothing, nothing)
      if ownGroup != rootGroup {
        sending[communicator.root] = elements.elements(of: rank, in: bucket)
      } else if communicator.isRoot {
        for other in 0..<size where elements.group(of: other) != rootGroup {
          receiving[other] = elements.elements(of: other, in: bucket)
        }
      }
      collecting.append(
        try communicator.prepareExchange(
          sending: sending, receiving: receiving, tag: MessageTag.state.value(ofBucket: index)))
    }
  }
}
