import CPUBackend
import Configuration
public import DataParallel
public import Datasets
public import Execution
public import Models
public import Optimizers
public import Tensors

/// All settings of a run, as plain values.
public struct RunConfiguration: Sendable {
  /// The files of rows, their order and their conversion.
  public struct Data: Sendable {
    /// The file of the rows to train on.
    public var train: String
    /// The file of the rows that show the result.
    public var test: String?
    /// The rows that show progress and choose the best checkpoint.
    public var validation: Validation
    /// Gives every epoch an order of its own; otherwise the order is that of the file.
    public var isShuffled: Bool
    /// The normalization of samples before the first layer.
    public var normalization: InputNormalization
    /// Random changes of samples each time they are trained on.
    public var augmentation: Augmentation
    /// The name of the dataset of samples, if it has none of the usual names.
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

  /// The source of the rows for validation.
  public enum Validation: Hashable, Sendable {
    /// There are none.
    case none
    /// All rows of a file.
    case file(String)
    /// A fraction of the rows to train on, chosen by the seed and left out of training.
    case fraction(Double)
  }

  /// The interval at which something happens.
  public enum Interval: Hashable, Sendable {
    /// At the end of every epoch.
    case epoch
    /// Every so many steps.
    case steps(Int)
    /// Never while the run goes on.
    case never
  }

  /// The reaction to a loss that is not a finite number.
  public enum NonfinitePolicy: String, CaseIterable, Sendable {
    /// The run stops with an error; the checkpoints before it stay.
    case stop
  }

  /// The operands of matrix products and convolutions in training.
  public enum Precision: String, CaseIterable, Sendable {
    /// Operands as they are.
    case float
    /// Operands rounded to bfloat16; sums and everything else stay `Float`.
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
  /// The rows.
  public var data: Data
  /// The layers, in order.
  public var model: [Layer]
  /// The loss that is minimised.
  public var loss: Loss
  /// The rule by which parameters change.
  public var optimizer: OptimizerSettings
  /// The course of the learning rate over the run.
  public var schedule: LearningRateSchedule
  /// The condition on evaluations that ends the run before its last epoch; nil for none.
  public var earlyStopping: EarlyStopping?
  /// The rows of a step, over all ranks.
  public var batchSize: Int
  /// The parts a step is cut into; nil for a fixed function of model, batch and rows.
  public var microbatches: Int?
  /// The passes over the data.
  public var epochs: Int
  /// The seed of all random numbers.
  public var seed: UInt64
  /// The interval between evaluations.
  public var evaluationInterval: Interval
  /// The most rows that evaluation computes at once; changes no bit.
  public var evaluationBlock: Int
  /// The number of largest outputs among which evaluations look for the label too; nil for none.
  public var evaluationTop: Int?
  /// The interval between checkpoints.
  public var checkpointInterval: Interval
  /// Writes the initial parameters too.
  public var checkpointAtStart: Bool
  /// The newest checkpoints that are kept.
  public var checkpointsKept: Int
  /// Keeps the checkpoint with the best evaluation too.
  public var keepsBest: Bool
  /// The steps from one record of the metrics to the next.
  public var metricsInterval: Int
  /// The reaction to a loss that is not a finite number.
  public var onNonfinite: NonfinitePolicy
  /// Makes each rank update only the elements it owns, and store optimizer state of these alone.
  public var isSharded: Bool
  /// The most ranks of a host that share memory; nil for all.
  public var sharedMemoryLimit: Int?
  /// The operands of matrix products and convolutions in training.
  public var precision: Precision
  /// The number format of gradient sums sent between hosts.
  public var gradientFormat: GradientFormat
  /// The device that computes.
  public var device: Device
  /// The backend that computes; that of the device by default.
  public var backend: any Backend
  /// The threads of a rank that compute microbatches; nil to choose.
  public var workers: Int?
  /// The most microbatches that a thread computes at once, rounded down to a power of two; nil to choose.
  public var groupSize: Int?
  /// The largest split that a host holds in memory, in bytes; copies that ranks do not share count each.
  public var memoryLimit: Int
  /// The longest a rank waits for those of other hosts, in seconds; 0 for ever.
  public var peerTimeout: Double

  /// The keys that may change when a run resumes; `evaluation` is none of them if evaluations steer the run.
  public var changeableKeys: [String] {
    let isWatched = schedule.plateau != nil || earlyStopping != nil
    return ["epochs", "checkpoint"] + (isWatched ? [] : ["evaluation"]) + ["metrics", "run"]
  }
  /// Further keys that change no bit of the answer.
  static let keysWithoutEffect = ["optimizer.sharded"]
}

extension RunConfiguration.Interval {
  /// Returns whether it happens after a step.
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
  ///   - targets: The targets of a row.
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

extension RunConfiguration {
  /// The facts of this machine that decide the bits of a run.
  package var environment: Environment { backend.environment(for: precision.operands) }

  /// Refuses a precision that the backend has no products for.
  ///
  /// - Throws: ``TrainingError/precisionUnsupported(library:)``.
  package func requirePrecision() throws {
    guard backend.supports(precision.operands) else {
      let machine = backend.machine
      throw TrainingError.precisionUnsupported(
        library: "\(machine.library) \(machine.libraryVersion)")
    }
  }
}

extension RunConfiguration.Precision {
  /// The format, as backends name it.
  package var operands: OperandPrecision {
    switch self {
    case .float: .float
    case .bf16: .bfloat16
    }
  }
}
