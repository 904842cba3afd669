// The choice of the arrays of a file that hold samples and targets.

internal import HDF5

/// The kind of a file's targets.
public enum TargetKind: String, Hashable, Sendable, Codable {
  /// One class number per row.
  case labels
  /// One or more numbers per row.
  case responses
}

/// The names of the arrays of a file, and the rule that found them.
struct DatasetNames {
  let samples: String
  let targets: String?
  /// The kind of the targets by their name or by the caller; nil if their type decides.
  let kind: TargetKind?
  let rule: String
  /// The targets that were looked for.
  let lookedFor: [String]

  /// A pair of names to try.
  private struct Rule {
    let samples: String
    let targets: String
    var kind: TargetKind?
  }

  private static let rules = [
    Rule(samples: "samples", targets: "labels", kind: .labels),
    Rule(samples: "samples", targets: "responses", kind: .responses),
    Rule(samples: "data", targets: "label"),
    Rule(samples: "x", targets: "y"),
    Rule(samples: "X", targets: "Y"),
    Rule(samples: "X", targets: "y"),
    Rule(samples: "images", targets: "labels", kind: .labels),
    Rule(samples: "features", targets: "targets"),
  ]

  /// Finds the arrays.
  ///
  /// It tries the rules in order, at the root and then in the groups; a complete pair takes precedence over
  /// samples alone.
  init(
    in file: HDF5File, options: Dataset.Options
  ) throws(DatasetError) {
    let path = file.name
    func exists(_ name: String) throws(DatasetError) -> Bool {
      try reading(path) { () throws(HDF5Error) in try file.kind(of: name) } == .dataset
    }
    func found() throws(DatasetError) -> [String] {
      try reading(path) { () throws(HDF5Error) in
        try file.datasets().map { String($0.path.dropFirst()) }
      }
    }
    if let targets = options.targets, try !exists(targets) {
      throw .noTargets(path: path, lookedFor: [targets], found: try found())
    }
    if let samples = options.samples {
      guard try exists(samples) else {
        throw .noSamples(path: path, lookedFor: [samples], found: try found())
      }
    }
    let folders = [""] + (options.group.map { [$0] } ?? ["train", "test"])
    let rules = DatasetNames.rules.sorted { a, b in
      options.targetKind == .responses && a.kind == .responses && b.kind != .responses
    }
    var withoutTargets: String?
    var lookedForSamples: [String] = []
    var lookedForTargets: [String] = []
    for folder in folders {
      let prefix = folder.isEmpty ? "" : folder + "/"
      for rule in rules {
        let samples = options.samples ?? prefix + rule.samples
        let targets = options.targets ?? prefix + rule.targets
        lookedForSamples.append(samples)
        guard try exists(samples) else { continue }
        lookedForTargets.append(targets)
        guard try exists(targets) else {
          withoutTargets = withoutTargets ?? samples
          continue
        }
        self.samples = samples
        self.targets = targets
        kind = options.targetKind ?? (options.targets == nil ? rule.kind : nil)
        let given = options.samples != nil || options.targets != nil
        self.rule =
          given
          ? "'\(samples)' and '\(targets)', as asked for"
          : "'\(samples)' and '\(targets)', names known as \(rule.samples)/\(rule.targets)"
            + (folder.isEmpty ? "" : " in group '\(folder)'")
        lookedFor = [targets]
        return
      }
    }
    guard let samples = withoutTargets else {
      throw .noSamples(path: path, lookedFor: unique(lookedForSamples), found: try found())
    }
    self.samples = samples
    targets = nil
    kind = nil
    rule = "'\(samples)', without targets"
    lookedFor = unique(lookedForTargets)
  }
}

/// Returns the names without repetitions, in their order.
private func unique(_ names: [String]) -> [String] {
  var seen: Set<String> = []
  return names.filter { seen.insert($0).inserted }
}
