public import Configuration
import Foundation

/// An error that keeps a run from beginning or going on.
public enum TrainingError: Error {
  /// The batch has more rows than the data.
  case batchTooLarge(batchSize: Int, rows: Int, path: String)
  /// The vectors of the parameters, beside the data, are larger than the memory of the host, or without a number
  /// of ranks than that of a process.
  case tooLarge(
    parameterCount: Int, byteCount: Int, rankCount: Int?, dataByteCount: Int, memory: Int)
  /// The output of a layer is larger than the memory of the host.
  case outputTooLarge(layer: String, rows: Int, byteCount: Double, memory: Int)
  /// A channel of a layer has one value, and so no variance.
  case oneRow(layer: String, rows: Int, microbatches: Int?)
  /// Two files of one run disagree.
  case splitsDiffer(String, String, String, String)
  /// The loss of a step is not a finite number.
  case nonfiniteLoss(step: Int, loss: Double)
  /// The loss of an evaluation is not a finite number.
  case nonfiniteEvaluation(split: String, step: Int, loss: Double)
  /// The norm of the gradient of a step is not a finite number.
  case nonfiniteGradient(step: Int, norm: Double)
  /// A parameter is not a finite number.
  case nonfiniteParameters(step: Int)
  /// The data of a run has changed since the run began.
  case dataChanged(split: String, path: String, found: String, expected: String)
  /// A run was begun with another configuration.
  case otherConfiguration(ConfigurationError)
  /// A checkpoint was written on a machine or with a library that computes other bits.
  case environmentChanged(what: String, found: String, expected: String, path: String)
  /// Every checkpoint of a run is damaged.
  case noGoodCheckpoint(path: String, count: Int, first: String)
  /// More largest outputs are asked for than there are classes, or there are no classes.
  case badTop(key: String, found: Int, classCount: Int?)
  /// Samples cannot be changed as the configuration asks for.
  case badAugmentation(key: String, found: String, expected: String)
  /// A number of a sample names no row of the table of a layer.
  case noTableRow(path: String, row: Int, element: Int, found: Float, layer: String, count: Int)
  /// Products of rounded operands are asked for on a CPU that has none.
  case precisionUnsupported(library: String)
  /// The record of a checkpoint is incomplete or impossible.
  case badRecord(path: String, fault: String)
}

extension TrainingError: CustomStringConvertible {
  /// The thing, the value found and the value expected, on one line.
  public var description: String {
    switch self {
    case .batchTooLarge(let batchSize, let rows, let path):
      "batch_size is \(batchSize) but \(path) has only \(rows) \(rows == 1 ? "row" : "rows") to train "
        + "on; expected at most that many"
    case .tooLarge(
      let parameterCount, let byteCount, let rankCount, let dataByteCount, let memory):
      "model has \(parameterCount) parameters, found \(gigabytes(Double(byteCount))) for them, their gradient "
        + "and optimiser state "
        + (rankCount.map { $0 == 1 ? "on this host" : "on the \($0) ranks of a host" }
          ?? "in a process")
        + (dataByteCount > 50_000_000
          ? " beside \(gigabytes(Double(dataByteCount))) of data, " : ", ")
        + "expected less than its memory of \(gigabytes(Double(memory)))"
    case .outputTooLarge(let layer, let rows, let byteCount, let memory):
      "layer '\(layer)': found \(gigabytes(byteCount)) for its output of \(rows) rows at once, expected "
        + "less than the memory of \(gigabytes(Double(memory)))"
    case .oneRow(let layer, let rows, let microbatches?):
      "layer '\(layer)': found a microbatch of 1 row, whose channels have no variance, in steps of "
        + "\(rows) rows and \(microbatches) microbatches; expected at least 2 rows: at most \(rows / 2) "
        + "microbatches, 'statistics: batch', or a batch_size that leaves another rest"
    case .oneRow(let layer, let rows, nil):
      "layer '\(layer)': found a step of \(rows) row, whose channels have no variance; expected at "
        + "least 2 rows: set a batch_size that leaves no rest of 1 row at the end of an epoch"
    case .splitsDiffer(let path, let found, let other, let expected):
      "\(path): found \(found), expected \(expected) as in \(other)"
    case .nonfiniteLoss(let step, let loss):
      "loss of step \(step) is \(plain(loss)), expected a finite number; a smaller learning_rate may "
        + "help; checkpoints before it are kept"
    case .nonfiniteEvaluation(let split, let step, let loss):
      "loss on \(split) after step \(step) is \(plain(loss)), expected a finite number; a "
        + "smaller learning_rate may help; checkpoints before it are kept"
    case .nonfiniteGradient(let step, let norm):
      "norm of the gradient of step \(step) is \(plain(norm)), expected a finite number; "
        + "parameters are as after the step before, and checkpoints before it are kept"
    case .nonfiniteParameters(let step):
      "parameters after step \(step) are not all finite; no checkpoint of them is written; a "
        + "smaller learning_rate may help"
    case .dataChanged(let split, let path, let found, let expected):
      "\(path): \(split) data has fingerprint \(found.prefix(16)), expected \(expected.prefix(16)) "
        + "as when the run began"
    case .otherConfiguration(let error):
      "\(error); --fresh starts over, another --output begins another run"
    case .environmentChanged(let what, let found, let expected, let path):
      "\(path): written with \(what) \(expected), found \(found); the run would not go on in the "
        + "same bits"
    case .noGoodCheckpoint(let path, let count, let first):
      "\(path): none of \(count) checkpoints is good, expected one to go on from, or --fresh to start "
        + "over; \(first)"
    case .badTop(let key, let found, let classCount):
      "\(key) is \(found), expected "
        + (classCount.map { "at most \($0), the number of classes" } ?? "none without class labels")
    case .badAugmentation(let key, let found, let expected):
      "\(key) \(found), expected \(expected)"
    case .noTableRow(let path, let row, let element, let found, let layer, let count):
      "\(path): row \(row) of the samples holds \(found) at element \(element), expected a whole "
        + "number within 0..<\(count), which layer '\(layer)' has"
    case .precisionUnsupported(let library):
      "train.precision is bf16, which needs avx512_core_bf16 or avx512_core_amx; found \(library), "
        + "expected float"
    case .badRecord(let path, let fault):
      "\(path): \(fault)"
    }
  }
}

/// Returns a number as text, without the payload that Swift prints for NaN.
private func plain(_ number: Double) -> String { number.isNaN ? "nan" : "\(number)" }

/// Returns a number of bytes in units of 10⁹.
private func gigabytes(_ byteCount: Double) -> String {
  String(format: "%.1f GB", byteCount / 1e9)
}
