// The data sets this project can make but does not carry.

/// A data set that a command of ours fetches and turns into HDF5.
///
/// A missing file is taken for part of it by the name of the folder it was expected in, so the error
/// can say what to do wherever the repository lies.
struct ObtainableSet {
  /// The name of the folder its files lie in.
  let folder: String
  /// What makes the files.
  let command: String

  static let all = [
    ObtainableSet(folder: "fashion-mnist", command: "launch/data fashion-mnist")
  ]

  /// The set a path belongs to.
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
