// The exit status of the program for each error of a lower module.
public import Checkpoints
public import Communication
public import Configuration
public import Datasets
public import Execution
public import Files
public import Graphs
public import Models
public import Runs

extension ConfigurationError: ExitStatusProviding {
  /// 78: bad configuration.
  public var exitStatus: Int32 { 78 }
}

extension GraphError: ExitStatusProviding {
  /// 64 if more is asked for than can be written down; else 70, since graphs are checked when built.
  public var exitStatus: Int32 {
    switch self {
    case .tooLarge: 64
    case .duplicateName, .batchParameter, .operands, .missingValue, .valueShape, .label: 70
    }
  }
}

extension ModelError: ExitStatusProviding {
  /// 78: a model that does not fit the data.
  public var exitStatus: Int32 { 78 }
}

extension FileError: ExitStatusProviding {
  /// 74: input and output.
  public var exitStatus: Int32 { 74 }
}

extension PlanError: ExitStatusProviding {
  /// 78 for a variable of the process; else 70: a model that passed all checks must compile.
  public var exitStatus: Int32 {
    if case .variable = self { 78 } else { 70 }
  }
}

extension RunError: ExitStatusProviding {
  /// 73 for a directory that another run has, 74 for input and output.
  public var exitStatus: Int32 {
    switch self {
    case .inUse, .foreign: 73
    case .file, .damaged: 74
    }
  }
}

extension TrainingError: ExitStatusProviding {
  /// 78 if the configuration must change, 64 if an option must, 65 if data or files are at fault.
  public var exitStatus: Int32 {
    switch self {
    case .batchTooLarge, .tooLarge, .outputTooLarge, .oneRow, .otherConfiguration, .nonfiniteLoss,
      .nonfiniteGradient, .nonfiniteEvaluation, .nonfiniteParameters, .environmentChanged,
      .badAugmentation, .precisionUnsupported:
      78
    case .badTop(let key, _, _): key.hasPrefix("--") ? 64 : 78
    case .splitsDiffer, .dataChanged, .noTableRow, .badRecord, .noGoodCheckpoint: 65
    }
  }
}

extension DatasetError: ExitStatusProviding {
  /// 65 for a bad file, 74 for failed output or lack of memory.
  public var exitStatus: Int32 {
    switch self {
    case .unreadable, .changed, .obtainable, .noSamples, .noTargets, .wrongShape, .wrongType,
      .noRows, .lengthsDiffer, .badLabel, .notFinite, .missingValue, .badAttribute, .badIDX,
      .severalSplits:
      65
    case .badFraction, .badFactors: 78
    case .exists, .unwritable, .noMemory: 74
    case .wrongCount: 70
    }
  }
}

extension CheckpointError: ExitStatusProviding {
  /// 78 for another model, 65 for a file that is missing or holds something else, 74 for output.
  public var exitStatus: Int32 {
    switch self {
    case .otherModel: 78
    case .damaged: 65
    case .hdf5: 65
    // A named file that cannot be read is bad input; one that cannot be written is not.
    case .file(let error): error.expected == "a file that can be read" ? 65 : 74
    }
  }
}
