public import Configuration

/// The loss of a model: a function of the outputs of the last layer and the targets of a row.
///
/// The mean over rows is the sum of their losses over the sum of their weights; a row weighs 1 unless its
/// class has a weight.
public struct Loss: Sendable {
  /// The computation.
  public let kind: any LossKind

  /// Creates a loss of a kind.
  public init(_ kind: some LossKind) { self.kind = kind }

  /// The name in configurations and messages.
  public var configurationName: String { kind.configurationName }

  /// Indicates that targets are class labels; otherwise they are responses.
  public var takesLabels: Bool { kind.takesLabels }

  /// The activation that the loss applies to the outputs itself, if any.
  public var outputActivation: OutputActivation? { kind.outputActivation }
}

extension Loss: Hashable {
  /// Compares the kinds as values of their types.
  public static func == (a: Loss, b: Loss) -> Bool { AnyHashable(a.kind) == AnyHashable(b.kind) }

  /// Hashes the kind.
  public func hash(into hasher: inout Hasher) { hasher.combine(AnyHashable(kind)) }
}

extension Loss {
  /// Reads the loss.
  ///
  /// - Parameters:
  ///   - section: The section that holds the key `loss`.
  ///   - catalog: The kinds of losses that may be named.
  /// - Returns: The loss; the first one of the catalog where there is no key.
  /// - Throws: `ConfigurationError` naming the key.
  public static func read(
    from section: Section, catalog: ModelCatalog = .builtIn
  ) throws(ConfigurationError) -> Loss {
    let alternatives = catalog.losses.map { type in
      type.alternative.map { (kind, _) throws(ConfigurationError) in Loss(kind) }
    }
    return try section.oneOf(
      "loss", alternatives, default: alternatives.first?.name, meaning: "what is minimised")
  }
}
