import Configuration

/// The layers of a model in order, with repeated blocks written out and every name resolved.
///
/// A name means the nearest layer or block before it: in the same block first, then around it. The
/// layers of round k of the block `stage` are named `stage.k.NAME`, and `stage` itself means the value of
/// the last round.
struct Wiring {
  /// One layer, no longer a block.
  struct Entry {
    let layer: Layer
    let kind: any LayerKind
    let name: String
    /// The positions of the values it takes.
    let inputs: [Int]
    /// The entry whose parameters it uses.
    let sharedEntry: Int?
    /// Its own factor times those of the blocks around it.
    let learningRateFactor: Double
    /// Indicates that it or a block around it is frozen.
    let isFrozen: Bool
  }

  /// The value that a name stands for.
  private struct Meaning {
    let position: Int
    /// Indicates a single layer, not a block or its input.
    let isLayer: Bool
  }

  /// The settings that a block passes on to the layers in it.
  private struct Block {
    /// The beginning of the names of its layers.
    var prefix = ""
    var learningRateFactor = 1.0
    var isFrozen = false
  }

  /// The layers, each after what it takes.
  private(set) var entries: [Entry] = []
  /// The position of the value of the last layer.
  ///
  /// At position 0 are the samples, at i + 1 the value of entry i.
  private(set) var output = 0
  /// The meanings of names, innermost block last.
  private var scopes: [[String: Meaning]] = []
  /// All names of each of these blocks, including those of later layers.
  private var declared: [[String]] = []

  /// Resolves the names of `layers`.
  ///
  /// - Throws: ``ModelError`` for names that mean nothing and layers that nothing uses.
  init(_ layers: [Layer]) throws(ModelError) {
    _ = try Wiring.countedLayers(layers)
    output = try add(layers, in: Block(), entry: (Layer.samplesName, 0)).output
    try requireUse()
    var names: Set<String> = []
    for entry in entries {
      guard names.insert(entry.name).inserted else { throw .duplicateLayer(entry.name) }
    }
  }

  /// The most layers of a model, blocks written out: ten times those of the deepest published ones.
  static let layerLimit = 1 << 14

  /// Counts layers before any is written out, since blocks in blocks ask for billions in one line.
  private static func countedLayers(_ layers: [Layer]) throws(ModelError) -> Int {
    var count = 0
    for (layer, name) in zip(layers, try names(of: layers)) {
      var found = "more layers up to it"
      if case .block(let times, let inner) = layer.content {
        let innerCount = try countedLayers(inner)
        let (product, isBeyondCount) = innerCount.multipliedReportingOverflow(by: times)
        found = "\(times) × \(innerCount) layers"
        count = isBeyondCount ? .max : count + min(product, layerLimit + 1)
      } else {
        count += 1
      }
      guard count <= layerLimit else {
        throw .layer(name, found: found, expected: "at most \(layerLimit) in all")
      }
    }
    return count
  }

  /// Adds the layers of a block, the first of which takes `entry`.
  ///
  /// - Returns: The position of the value of the last one, and the meanings of their names.
  private mutating func add(
    _ layers: [Layer], in block: Block, entry: (name: String, position: Int)
  ) throws(ModelError) -> (output: Int, meanings: [String: Meaning]) {
    let names = try Wiring.names(of: layers)
    scopes.append([entry.name: Meaning(position: entry.position, isLayer: false)])
    declared.append(names)
    defer {
      scopes.removeLast()
      declared.removeLast()
    }
    var previous = entry.position
    for (layer, name) in zip(layers, names) {
      let fullName = block.prefix + name
      var inputs: [Int] = []
      for input in layer.inputs {
        inputs.append(try meaning(of: input, key: "from", for: fullName).position)
      }
      if inputs.isEmpty { inputs = [previous] }
      var inner = block
      inner.learningRateFactor *= layer.learningRateFactor
      inner.isFrozen = block.isFrozen || layer.isFrozen
      let isLayer: Bool
      switch layer.content {
      case .block(let times, let layers):
        isLayer = false
        inner.prefix = fullName
        previous = try add(layers, times: times, of: layer, named: name, in: inner, inputs)
      case .kind(let kind):
        isLayer = true
        entries.append(
          Entry(
            layer: layer, kind: kind, name: fullName, inputs: inputs,
            sharedEntry: try sharedEntry(layer, named: fullName),
            learningRateFactor: inner.learningRateFactor, isFrozen: inner.isFrozen))
        previous = entries.count
      }
      scopes[scopes.count - 1][name] = Meaning(position: previous, isLayer: isLayer)
    }
    var meanings = scopes[scopes.count - 1]
    meanings[entry.name] = nil
    return (previous, meanings)
  }

  /// Adds the layers of a block as often as it says.
  private mutating func add(
    _ layers: [Layer], times: Int, of layer: Layer, named name: String, in block: Block,
    _ inputs: [Int]
  ) throws(ModelError) -> Int {
    let fullName = block.prefix
    guard inputs.count == 1 else {
      throw .layer(fullName, found: "\(inputs.count) inputs", expected: "1")
    }
    guard times > 0, !layers.isEmpty else {
      throw .layer(
        fullName, found: times > 0 ? "no layers" : "\(times) times", expected: "at least 1")
    }
    guard layer.sharedLayer == nil else {
      throw .layer(
        fullName, found: "'share' of a block", expected: "'share' on the layers in it")
    }
    var value = inputs[0]
    for round in 1...times {
      var block = block
      block.prefix = "\(fullName).\(round)."
      let meanings: [String: Meaning]
      (value, meanings) = try add(layers, in: block, entry: (Layer.blockInputName, value))
      // Layers after the block can name those in it.
      scopes[scopes.count - 1]["\(name).\(round)"] = Meaning(
        position: value, isLayer: false)
      for (inner, meaning) in meanings {
        scopes[scopes.count - 1]["\(name).\(round).\(inner)"] = meaning
      }
    }
    return value
  }

  private func sharedEntry(_ layer: Layer, named name: String) throws(ModelError) -> Int? {
    guard let sharedLayer = layer.sharedLayer else { return nil }
    let meaning = try meaning(of: sharedLayer, key: "share", for: name)
    guard meaning.isLayer else {
      throw .layer(
        name, found: "'share: \(sharedLayer)'", expected: "the name of a single layer")
    }
    return entries[meaning.position - 1].sharedEntry ?? meaning.position - 1
  }

  /// Returns the meaning of a name at this point.
  private func meaning(
    of name: String, key: String, for layer: String
  ) throws(ModelError) -> Meaning {
    for (scope, names) in zip(scopes, declared).reversed() {
      if let meaning = scope[name] { return meaning }
      guard !names.contains(name) else {
        throw .layer(
          layer, found: "'\(key): \(name)', which does not come before it",
          expected: "a layer before it")
      }
    }
    let known = scopes.reversed().flatMap { $0.keys.sorted() }
    // Outside of blocks the word for what a layer is given is another.
    let meant =
      name == Layer.blockInputName && key == "from"
      ? Layer.samplesName : nearest(name, in: known)
    throw .unknownName(layer, key: key, found: name, nearest: meant)
  }

  /// Refuses layers whose values go nowhere.
  private func requireUse() throws(ModelError) {
    let used = Set(entries.flatMap(\.inputs) + [output])
    for (index, entry) in entries.enumerated() where !used.contains(index + 1) {
      throw .layer(
        entry.name, found: "no layer that takes its output",
        expected: "one, or the layer as the last one")
    }
  }

  /// Returns the names of layers: their own, or their kind with its number among those of that kind.
  private static func names(of layers: [Layer]) throws(ModelError) -> [String] {
    var counts: [String: Int] = [:]
    var seen: Set<String> = []
    var names: [String] = []
    for layer in layers {
      let kindName = layer.configurationName
      counts[kindName, default: 0] += 1
      let name = layer.name ?? "\(kindName)\(counts[kindName] ?? 0)"
      guard name != Layer.samplesName, name != Layer.blockInputName else {
        throw .reservedName(name)
      }
      guard seen.insert(name).inserted else { throw .duplicateLayer(name) }
      names.append(name)
    }
    return names
  }
}
