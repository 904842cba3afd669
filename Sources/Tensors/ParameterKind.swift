/// The role of a parameter, by which optimizers tell parameters apart.
public enum ParameterKind: String, Hashable, Sendable, CaseIterable {
  /// It is multiplied with inputs.
  case weight
  /// It is added to outputs.
  case bias
  /// It scales or shifts a normalized value.
  case normalization
}
