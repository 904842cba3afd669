import Configuration

/// A resolved configuration with one key.
func configuration(seed: Int = 1) throws -> ResolvedConfiguration {
  try ResolvedConfiguration(yaml: "seed: \(seed)\n", source: "test")
}
