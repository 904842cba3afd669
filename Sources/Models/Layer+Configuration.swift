// Lists of layers as configurations write them.
public import Configuration

extension Layer {
  /// Reads the layers of a model, in order.
  ///
  /// - Parameters:
  ///   - section: The section that holds the key `model`.
  ///   - catalog: The kinds of layers that may be named.
  /// - Returns: At least one layer.
  /// - Throws: `ConfigurationError` naming the layer.
  public static func read(
    from section: Section, catalog: ModelCatalog = .builtIn
  ) throws(ConfigurationError) -> [Layer] {
    try section.list("model", noun: "layer", alternatives(catalog), meaning: "layers, in order")
  }

  /// Returns all layers that an item of a list can be.
  private static func alternatives(_ catalog: ModelCatalog) -> [Alternative<Layer>] {
    let kinds = catalog.layers.flatMap { $0.alternatives }.map { alternative in
      alternative.map { (kind, section) throws(ConfigurationError) in
        try read(.kind(kind), beside: section)
      }
    }
    let block = Alternative<Layer>("repeat", meaning: "layers several times, one after the other") {
      (section) throws(ConfigurationError) in
      let times = try section.integer(
        "times", in: .between(1, 1 << 16), meaning: "how often the layers are there")
      let layers = try section.list(
        "layers", noun: "layer", alternatives(catalog), listedAs: "a list of layers",
        meaning:
          "layers, in order; they are named NAME.1.LAYER and so on, and 'from: input' is what the block "
          + "is given")
      return try read(.block(times: times, layers: layers), beside: section)
    }
    return kinds + [block]
  }

  /// Reads the keys beside the kind of a layer.
  private static func read(
    _ content: Content, beside section: Section
  ) throws(ConfigurationError) -> Layer {
    let item = section.beside
    let sharedLayer = try item.optionalString(
      "share", expected: "the name of a layer", unset: "none",
      meaning: "layer before it whose parameters it uses")
    return Layer(
      content, name: try readName(section),
      from: try item.value(
        "from",
        [
          .unset([]), .strings(expected: "the name of a layer", counts: 1...1024) { $0 },
        ], default: .null, unset: "the layer before it",
        meaning: "layers before it that it takes; 'samples' is what the model is given"),
      sharing: sharedLayer,
      learningRateFactor: try item.number(
        "learning_rate", default: 1, in: .positive,
        meaning: "factor of the learning rate for the parameters of the layer"),
      isFrozen: try item.boolean(
        "frozen", default: false,
        meaning: "whether the parameters of the layer keep their initial values"))
  }

  private static func readName(_ section: Section) throws(ConfigurationError) -> String? {
    let name = try section.beside.optionalString(
      "name", unset: "the kind of layer and its number",
      meaning: "name of the layer in files, messages and pictures")
    if let name, name.contains("/") || name == "." || name == ".." {
      throw section.beside.unusable(
        "name", found: "'\(name)'",
        expected: "a name without '/', since it is part of paths")
    }
    return name
  }
}
