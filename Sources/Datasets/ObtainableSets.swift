// The data sets that this project can make but does not include.

/// A data set that a command of ours downloads and converts to HDF5.
///
/// A missing file is recognised by the name of its folder, so the error can name the command wherever the
/// repository lies.
struct ObtainableSet {
  /// The name of the folder of its files.
  let folder: String
  /// The command that makes the files.
  let command: String

  static let all = [
    ObtainableSet(folder: "fashion-mnist", command: "launch/data fashion-mnist")
  ]

  /// Finds the set that a path belongs to.
  init?(owning path: String) {
    let folders = path.split(separator: "/").dropLast()
    guard let folder = folders.last, let set = Self.all.first(where: { $0.folder == folder })
    else { return nil }
    self = set
  }

  private init(folder: String, command: String) {
    self.folder = folder
    self.command = command
  }
}
