import CPUBackend
public import Configuration
public import DataParallel
public import Datasets
public import Execution
public import Models
public import Optimizers
public import Tensors

/// Everything that decides a run, as plain values.
public struct RunConfiguration: Sendable {
  /// Where the rows are and how they are ordered.
  public struct Data: Sendable {
    /// The file of the rows to train on.
    public var train: String
    /// The file of the rows that show the result.
    public var test: String?
    /// The rows that show progress and choose the best checkpoint.
    public var validation: Validation
    /// Whether every epoch has an order of its own; otherwise the order is that of the file.
    public var isShuffled: Bool
    /// What samples are normalised by before the first layer.
    public var normalization: InputNormalization
    /// How samples are changed at random each time they are trained on.
    public var augmentation: Augmentation
    /// The name of the dataset of samples, where it cannot be found by the usual names.
    public var samplesName: String?
    /// The name of the dataset of labels or responses.
    public var targetsName: String?
    /// The layout of samples of three axes; nil for what the file says.
    public var layout: SampleLayout?
    /// The factors of samples, one or one per channel; nil for what the file says.
    public var scale: [Double]?
    /// The bias of scaled samples, one or one per channel; nil for what the file says.
    public var bias: [Double]?
  }

  /// Where the rows for validation come from.
  public enum Validation: Hashable, Sendable {
    /// There are none.
    case none
    /// All rows of a file.
    case file(String)
    /// A share of the rows to train on, chosen by the seed and left out of training.
    case fraction(Double)
  }

  /// How often something happens.
  public enum Interval: Hashable, Sendable {
    /// At the end of every epoch.
    case epoch
    /// Every so many steps.
    case steps(Int)
    /// Never while the run goes on.
    case never
  }

  /// What is done with a loss that is not a finite number.
  public enum NonfinitePolicy: String, CaseIterable, Sendable {
    /// The run stops with an error; the checkpoints before it stay.
    case stop
  }

  /// What matrix products and convolutions of training take.
  public enum Precision: String, CaseIterable, Sendable {
    /// Their operands as they are.
    case float
    /// Their operands rounded to bfloat16; they add up in `Float`, and everything else is `Float`.
    case bf16
  }

  /// The device that computes.
  public enum Device: String, CaseIterable, Sendable {
    /// The CPU.
    case cpu

    /// The backend of the device.
    public var backend: any Backend {
      switch self {
      case .cpu: CPU()
      }
    }
  }

  /// The model and rows that a program made itself.
  public let parts: ProgramParts
  /// The digest of the graph that a run of such a model began with.
  let recordedGraph: String?
  /// Where the rows are.
  public var data: Data
  /// The layers, in order.
  public var model: [Layer]
  /// What is minimised.
  public var loss: Loss
  /// How parameters change.
  public var optimizer: OptimizerSettings
  /// How the step size changes over the run.
  public var schedule: LearningRateSchedule
  /// When evaluations end the run before its last epoch; nil for never.
  public var earlyStopping: EarlyStopping?
  /// The rows of a step, over all ranks.
  public var batchSize: Int
  /// The parts a step is cut into; nil for a fixed function of model, batch and rows.
  public var microbatches: Int?
  /// The passes over the data.
  public var epochs: Int
  /// What all random numbers are a function of.
  public var seed: UInt64
  /// How often to evaluate.
  public var evaluationInterval: Interval
  /// The rows that evaluation computes together.
  public var evaluationBlock: Int
  /// The number of largest outputs among which evaluations look for the label too; nil for none.
  public var evaluationTop: Int?
  /// How often to write a checkpoint.
  public var checkpointInterval: Interval
  /// Whether the initial parameters are written too.
  public var checkpointAtStart: Bool
  /// The newest checkpoints that are kept.
  public var checkpointsKept: Int
  /// Whether the checkpoint with the best evaluation is kept too.
  public var keepsBest: Bool
  /// The steps from one record of the metrics to the next.
  public var metricsInterval: Int
  /// What is done with a loss that is not a finite number.
  public var onNonfinite: NonfinitePolicy
  /// Whether each rank updates only the elements it owns and keeps the optimiser's state of these alone.
  public var isSharded: Bool
  /// The most ranks of a host that share memory; nil for all.
  public var sharedMemoryLimit: Int?
  /// What matrix products and convolutions of training take.
  public var precision: Precision
  /// How sums of gradients are sent between hosts.
  public var gradientFormat: GradientFormat
  /// The device that computes.
  public var device: Device
  /// The backend that computes: that of the device, if nothing else is set.
  public var backend: any Backend
  /// The threads of a rank that compute microbatches; nil to choose.
  public var workers: Int?
  /// The largest split that a host holds in memory, in bytes; what its ranks do not share counts for each.
  public var memoryLimit: Int
  /// The longest a rank waits for those of other hosts, in seconds; 0 for ever.
  public var peerTimeout: Double

  /// The keys that may change when a run goes on; not when to evaluate where evaluations decide how it
  /// goes on.
  public var changeableKeys: [String] {
    let isWatched = schedule.plateau != nil || earlyStopping != nil
    return ["epochs", "checkpoint"] + (isWatched ? [] : ["evaluation"]) + ["metrics", "run"]
  }
  /// Keys elsewhere that change no bit of the answer.
  static let keysWithoutEffect = ["optimizer.sharded"]

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
    let evaluation = try root.section("evaluation", shorthand: "every")
    evaluationInterval = try Interval.read(
      "every", from: evaluation, default: "epoch", meaning: "how often to evaluate")
    evaluationBlock = try evaluation.integer(
      "block", default: 256, in: .between(1, 1 << 20), meaning: "rows evaluated together")
    evaluationTop = try evaluation.optionalInteger(
      "top", in: .positive, unset: "none",
      meaning: "largest outputs among which the label is looked for besides the largest one")
    let checkpoint = try root.section("checkpoint", shorthand: "every")
    checkpointInterval = try Interval.read(
      "every", from: checkpoint, default: "epoch", meaning: "how often to write a checkpoint")
    checkpointAtStart = try checkpoint.boolean(
      "at_start", default: false, meaning: "whether to write the initial parameters too")
    checkpointsKept = try checkpoint.integer(
      "keep", default: 3, in: .positive, meaning: "newest checkpoints kept")
    keepsBest = try checkpoint.boolean(
      "keep_best", default: true,
      meaning: "whether to keep the checkpoint with the best evaluation too")
    metricsInterval = try root.section("metrics", shorthand: "every").integer(
      "every", default: 1, in: .positive, meaning: "steps from one step record to the next")
    let train = try root.section("train")
    onNonfinite = try train.choice(
      "on_nonfinite", default: .stop, meaning: "what to do when the loss is not a finite number")
    precision = try train.choice(
      "precision", default: .float,
      meaning:
        "operands of matrix products and convolutions in training; bf16 rounds them, on CPUs "
        + "with AVX-512 BF16 or AMX")
    gradientFormat = try train.choice(
      "gradient_exchange", default: .float,
      meaning:
        "numbers that sums of gradients are sent in between hosts; bf16 is half as long, but "
        + "then the answer depends on the hosts")
    let run = try root.section("run")
    workers = try run.value(
      "workers", [.word("auto", nil), .integer(.between(1, 4096)) { $0 }], default: .string("auto"),
      meaning: "threads of a rank that compute microbatches")
    sharedMemoryLimit = try run.value(
      "shared_memory",
      [.word("auto", nil), .word("false", 1), .integer(.between(1, 1 << 20)) { $0 }],
      default: .string("auto"),
      meaning:
        "ranks of a host that share memory, at most, for gradients and one copy of the data; changes "
        + "no bit")
    memoryLimit =
      try run.integer(
        "data_memory", default: 2048, in: .between(0, 1 << 30),
        meaning:
          "largest split that a host holds in memory, in MiB, once for all ranks that share memory, and "
          + "at most half of its memory; larger ones are read row by row")
      << 20
    peerTimeout = try run.number(
      "peer_timeout", default: 600, in: .nonNegative,
      meaning: "seconds to wait for ranks of other hosts before the job ends; 0 for ever")
    try requireEvaluations(root)
  }
}

extension RunConfiguration {
  /// Refuses keys that watch evaluations of which there are none.
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
    _ key: String, from section: Section, default word: String, meaning: String
  ) throws(ConfigurationError) -> RunConfiguration.Interval {
    try section.value(
      key, [.word("epoch", .epoch), .word("never", .never), .integer(.positive) { .steps($0) }],
      default: .string(word), meaning: meaning + ": epoch, never, or a number of steps")
  }

  /// Whether it happens after a step.
  ///
  /// - Parameters:
  ///   - step: The number of the step, from 1.
  ///   - stepsPerEpoch: The steps of an epoch.
  /// - Returns: Whether it is due.
  func isDue(after step: Int, stepsPerEpoch: Int) -> Bool {
    switch self {
    case .epoch: step % stepsPerEpoch == 0
    case .steps(let count): step % count == 0
    case .never: false
    }
  }
}

extension RunConfiguration {
  /// Builds the model for data of a shape.
  ///
  /// - Parameters:
  ///   - sampleShape: The shape of a sample.
  ///   - targets: What a row is compared with.
  /// - Returns: The network.
  /// - Throws: `ModelError`.
  public func network(
    sampleShape: Shape, targets: Network.Targets
  ) throws(ModelError) -> Network {
    try Network(
      layers: model, loss: loss, sampleShape: sampleShape, targets: targets,
      normalization: data.normalization)
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

extension RunConfiguration {
  /// Refuses a precision that the backend has no products for.
  ///
  /// - Throws: ``TrainingError/precisionUnsupported(isa:)``.
  package func requirePrecision() throws {
    guard backend.supports(precision.operands) else {
      throw TrainingError.precisionUnsupported(isa: backend.environment.isa)
    }
  }
}

extension RunConfiguration.Precision {
  /// The same, as backends call it.
  package var operands: OperandPrecision {
    switch self {
    case .float: .float
    case .bf16: .bfloat16
    }
  }
}
