// The keys of a configuration, with defaults and meanings.
public import Configuration
import DataParallel
import Datasets
public import Models
import Optimizers

extension RunConfiguration {
  /// Reads all keys.
  ///
  /// - Parameters:
  ///   - root: The top level of a configuration.
  ///   - parts: The model and rows that a program made itself; their keys record them.
  ///   - catalog: The layers and losses that may be named.
  /// - Throws: `ConfigurationError` naming the key.
  public init(
    _ root: Section, parts: ProgramParts = ProgramParts(), catalog: ModelCatalog = .builtIn
  ) throws(ConfigurationError) {
    self.parts = parts
    data = try Data(root.section("data"), parts)
    if let made = parts.model {
      (model, loss) = (made.layers, made.loss)
      recordedGraph = try made.record(in: root)
    } else {
      model = try Layer.read(from: root, catalog: catalog)
      loss = try Loss.read(from: root, catalog: catalog)
      recordedGraph = nil
    }
    optimizer = try OptimizerSettings.read(from: root)
    isSharded = try root.section("optimizer", shorthand: "rule").boolean(
      "sharded", default: true,
      meaning:
        "whether each rank updates, and keeps optimiser state of, its share of elements alone"
    )
    schedule = try LearningRateSchedule.read(from: root)
    earlyStopping = try EarlyStopping.read(from: root)
    batchSize = try root.integer(
      "batch_size", default: 256, in: .positive, meaning: "rows of a step, over all ranks")
    microbatches = try root.optionalInteger(
      "microbatches", in: .between(1, 65536), unset: "a function of model, batch_size and rows",
      meaning: "parts a step is cut into; with data and seed it decides the answer")
    epochs = try root.integer(
      "epochs", default: 10, in: .between(0, Int(Int32.max)),
      meaning: "passes over the training rows")
    seed = UInt64(
      try root.integer(
        "seed", default: 1, in: .nonNegative, meaning: "what all random numbers depend on"))
    device = try root.choice("device", default: .cpu, meaning: "what computes")
    backend = device.backend
    (evaluationInterval, evaluationBlock, evaluationTop) = try RunConfiguration.readEvaluation(
      root.section("evaluation", shorthand: "every"))
    (checkpointInterval, checkpointAtStart, checkpointsKept, keepsBest) =
      try RunConfiguration.readCheckpoints(root.section("checkpoint", shorthand: "every"))
    metricsInterval = try root.section("metrics", shorthand: "every").integer(
      "every", default: 1, in: .positive, meaning: "steps from one step record to the next")
    (onNonfinite, precision, gradientFormat) = try RunConfiguration.readNumbers(
      root.section("train"))
    (workers, groupSize, sharedMemoryLimit, memoryLimit, peerTimeout) =
      try RunConfiguration.readResources(root.section("run"))
    try requireEvaluations(root)
  }
}

extension RunConfiguration {
  /// Reads the keys of `evaluation`.
  private static func readEvaluation(
    _ section: Section
  ) throws(ConfigurationError) -> (interval: Interval, block: Int, top: Int?) {
    let interval = try Interval.read(
      "every", from: section, default: "epoch", meaning: "how often to evaluate")
    let block = try section.integer(
      "block", default: Evaluator.rowsOfBlock, in: .between(1, Evaluator.rowsOfBlock),
      meaning: "the most rows evaluated at once; changes no bit")
    let top = try section.optionalInteger(
      "top", in: .positive, unset: "none",
      meaning: "largest outputs among which the label is looked for besides the largest one")
    return (interval, block, top)
  }

  /// Reads the keys of `checkpoint`.
  private static func readCheckpoints(
    _ section: Section
  ) throws(ConfigurationError) -> (interval: Interval, isAtStart: Bool, kept: Int, keepsBest: Bool)
  {
    let interval = try Interval.read(
      "every", from: section, default: "epoch", meaning: "how often to write a checkpoint")
    let isAtStart = try section.boolean(
      "at_start", default: false, meaning: "whether to write the initial parameters too")
    let kept = try section.integer(
      "keep", default: 3, in: .positive, meaning: "newest checkpoints kept")
    let keepsBest = try section.boolean(
      "keep_best", default: true,
      meaning: "whether to keep the checkpoint with the best evaluation too")
    return (interval, isAtStart, kept, keepsBest)
  }

  /// Reads the keys of `train` about numbers.
  private static func readNumbers(
    _ section: Section
  ) throws(ConfigurationError) -> (NonfinitePolicy, Precision, GradientFormat) {
    let onNonfinite: NonfinitePolicy = try section.choice(
      "on_nonfinite", default: .stop, meaning: "what to do when the loss is not a finite number")
    let precision: Precision = try section.choice(
      "precision", default: .float,
      meaning:
        "operands of matrix products and convolutions in training; bf16 rounds them, on CPUs "
        + "with AVX-512 BF16 or AMX")
    let gradientFormat: GradientFormat = try section.choice(
      "gradient_exchange", default: .float,
      meaning:
        "numbers that sums of gradients are sent in between hosts; bf16 is half as long, but "
        + "then the answer depends on the hosts")
    return (onNonfinite, precision, gradientFormat)
  }

  /// Reads the keys of `run`.
  private static func readResources(
    _ section: Section
  ) throws(ConfigurationError) -> (
    workers: Int?, groupSize: Int?, sharedMemoryLimit: Int?, memoryLimit: Int,
    peerTimeout: Double
  ) {
    let workers: Int? = try section.value(
      "workers", [.word("auto", nil), .integer(.between(1, 4096)) { $0 }], default: .string("auto"),
      meaning: "threads of a rank that compute microbatches")
    let groupSize: Int? = try section.value(
      "group", [.word("auto", nil), .integer(.between(1, 65536)) { $0 }], default: .string("auto"),
      meaning:
        "microbatches that a thread computes at once, at most, rounded down to a power of two; more take "
        + "more memory and change no bit")
    let sharedMemoryLimit: Int? = try section.value(
      "shared_memory",
      [.word("auto", nil), .word("false", 1), .integer(.between(1, 1 << 20)) { $0 }],
      default: .string("auto"),
      meaning:
        "ranks of a host that share memory, at most, for gradients and one copy of the data; changes "
        + "no bit")
    let memoryLimit =
      try section.integer(
        "data_memory", default: 2048, in: .between(0, 1 << 30),
        meaning:
          "largest split that a host holds in memory, in MiB, once for all ranks that share memory, and "
          + "at most half of its memory; larger ones are read row by row")
      << 20
    let peerTimeout = try section.number(
      "peer_timeout", default: 600, in: .nonNegative,
      meaning: "seconds to wait for ranks of other hosts before the job ends; 0 for ever")
    return (workers, groupSize, sharedMemoryLimit, memoryLimit, peerTimeout)
  }

  /// Refuses keys that watch evaluations if there are none.
  private func requireEvaluations(_ root: Section) throws(ConfigurationError) {
    guard !root.isListing else { return }
    for (key, quantity) in [
      ("schedule", schedule.plateau?.quantity), ("early_stopping", earlyStopping?.quantity),
    ] {
      guard let quantity else { continue }
      if data.test == nil, data.validation == .none {
        throw root.unusable(
          key, found: "nothing to evaluate", expected: "data.validation or data.test")
      }
      if evaluationInterval == .never {
        throw root.unusable(
          key, found: "evaluation.every never", expected: "an epoch or a number of steps")
      }
      if quantity == .accuracy, !loss.takesLabels {
        throw root.unusable(
          key, found: "watch: accuracy with a loss of responses", expected: "watch: loss")
      }
    }
  }
}

extension RunConfiguration.Data {
  init(_ section: Section, _ parts: ProgramParts) throws(ConfigurationError) {
    if parts.train != nil {
      train = try section.choice("train", ["arrays"], default: "arrays", meaning: "rows in memory")
      test =
        parts.test == nil
        ? nil
        : try section.choice("test", ["arrays"], default: "arrays", meaning: "rows in memory")
    } else {
      train = try section.path("train", meaning: "HDF5 file of the rows to train on")
      test = try section.optionalPath(
        "test", unset: "none", meaning: "HDF5 file of the rows to test on")
    }
    validation = try section.value(
      "validation",
      [
        .unset(.none), .number(.fraction) { .fraction($0) },
        .path(expected: "the path of a file") { .file($0) },
      ], default: .null, unset: "none",
      meaning: "rows that show progress and choose the best checkpoint: a file, or a share of train"
    )
    isShuffled = try section.value(
      "shuffle", [.word("full", true), .word("false", false)], default: .string("full"),
      meaning: "a new order of all rows in every epoch, or the order of the file")
    normalization = try section.choice(
      "normalize", default: .off,
      meaning:
        "what mean and deviation of the training rows are taken by to normalise samples: each entry "
        + "of their first axis, or each element")
    augmentation = try Augmentation.read(from: section)
    samplesName = try section.optionalString(
      "samples", unset: "found by usual names", meaning: "name of the dataset of samples")
    targetsName = try section.optionalString(
      "targets", unset: "found by usual names",
      meaning: "name of the dataset of labels or responses")
    layout = try section.value(
      "layout", [.unset(nil)] + SampleLayout.allCases.map { .word($0.rawValue, $0) },
      default: .null, unset: "as the file says",
      meaning: "where samples of three axes have their channels: first (chw) or last (hwc)")
    scale = try section.value(
      "scale", [.unset(nil), .numbers(counts: 1...Int.max) { $0 }], default: .null,
      unset: "as the file says",
      meaning: "factor of stored samples, one or one per channel; value = scale * stored + bias")
    bias = try section.value(
      "bias", [.unset(nil), .numbers(counts: 1...Int.max) { $0 }], default: .null,
      unset: "as the file says", meaning: "what is added to scaled samples, one or one per channel")
  }
}

extension RunConfiguration.Interval {
  fileprivate static func read(
    _ key: String, from section: Section, default configurationName: String, meaning: String
  ) throws(ConfigurationError) -> RunConfiguration.Interval {
    try section.value(
      key, [.word("epoch", .epoch), .word("never", .never), .integer(.positive) { .steps($0) }],
      default: .string(configurationName), meaning: meaning + ": epoch, never, or a number of steps"
    )
  }
}

/// Reads a configuration and its canonical form.
///
/// - Throws: `ConfigurationError`.
public func readConfiguration(
  _ path: String, overrides: [String]
) throws(ConfigurationError) -> (RunConfiguration, ResolvedConfiguration) {
  let reader = ConfigurationReader(try ConfigurationTree(path: path, overrides: overrides))
  let configuration = try RunConfiguration(reader.root)
  return (configuration, try reader.finish())
}
