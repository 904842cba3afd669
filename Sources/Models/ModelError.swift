public import Graphs

/// The reason that a model cannot be built for the data.
public enum ModelError: Error {
  /// A layer got an input that it cannot take.
  case layer(String, found: String, expected: String)
  /// Two layers have one name.
  case duplicateLayer(String)
  /// A layer or block is named as its own input is.
  case reservedName(String)
  /// A layer names another one that is not there.
  case unknownName(String, key: String, found: String, nearest: String?)
  /// All parameters are frozen.
  case nothingToTrain
  /// The outputs of the last layer do not fit the loss and the targets.
  case outputs(loss: String, found: String, expected: String)
  /// The graph refused.
  case graph(GraphError)
  /// A layer or loss of another package threw an error of its own.
  case other(any Error)
}

extension ModelError: CustomStringConvertible {
  /// The thing, what was found, what was expected, on one line.
  public var description: String {
    switch self {
    case .layer(let name, let found, let expected):
      "layer '\(name)': found \(found), expected \(expected)"
    case .duplicateLayer(let name): "two layers are named '\(name)'"
    case .reservedName(let name):
      "a layer is named '\(name)', which stands for what a model or block is given"
    case .unknownName(let layer, let key, let found, let nearest):
      "layer '\(layer)': '\(key)' names '\(found)', but no layer has that name"
        + (nearest.map { "; did you mean '\($0)'?" } ?? "")
    case .nothingToTrain: "all parameters are frozen, expected some to train"
    case .outputs(let loss, let found, let expected):
      "loss '\(loss)': found \(found), expected \(expected)"
    case .graph(let error): "\(error)"
    case .other(let error): "\(error)"
    }
  }
}
