// Further contents of a file beside samples and targets, by the conventions of other writers.

internal import HDF5

extension HDF5File {
  /// Refuses a file with a table at its root that assigns its rows to several splits.
  ///
  /// Source: Fuel, H5PYDataset: the attribute `split` is an array of compounds.
  ///
  /// - Throws: ``DatasetError/severalSplits(path:attribute:)``.
  func refuseSeveralSplits() throws(DatasetError) {
    let names = try reading(name) { () throws(HDF5Error) in try attributeNames(of: "/") }
    guard names.contains("split") else { return }
    do throws(HDF5Error) {
      // A plain text or number describes the whole file.
      _ = try attribute("split", of: "/")
    } catch {
      throw .severalSplits(path: name, attribute: "split")
    }
  }

  /// Returns notices of arrays beside the samples, with one element per row, that would change the training.
  func unreadNeighbors(
    of samples: String, _ targets: String?, _ rowCount: Int
  ) throws(DatasetError) -> [Dataset.Notice] {
    let folder = samples.split(separator: "/").dropLast().map { $0 + "/" }.joined()
    let splits = ["split", "splits", "set", "subset", "fold", "partition", "is_train", "is_test"]
    let weights = ["weight", "weights", "sample_weight", "sample_weights"]
    var notices: [Dataset.Notice] = []
    for neighbor in splits + weights where folder + neighbor != targets {
      let path = folder + neighbor
      let isOfRows = try reading(name) { () throws(HDF5Error) in
        guard try kind(of: path) == .dataset else { return false }
        let shape = try dataset(path).info.shape
        return shape.first == rowCount && shape.dropFirst().allSatisfy { $0 == 1 }
      }
      guard isOfRows else { continue }
      notices.append(
        Dataset.Notice(
          kind: .unread,
          text: "\(name): '\(path)' is not read: all \(rowCount) rows of '\(samples)' are "
            + (splits.contains(neighbor)
              ? "taken; write those of each split to a file of its own"
              : "worth the same; repeat rows, or set class_weights of the loss")))
    }
    return notices
  }
}

extension ArrayHeader {
  /// Returns the names of the classes, or nil if the file has none.
  ///
  /// They are an attribute of the labels or of the file, or a list of strings beside the labels or at the root.
  func classNames(in file: HDF5File) throws(DatasetError) -> [String]? {
    switch attribute("class_names") {
    case nil: break
    case .strings(let names): return names
    case .string(let name): return [name]
    case .some(let value):
      throw .badAttribute(
        path: path, dataset: name, attribute: "class_names", found: value.text,
        expected: "a list of strings")
    }
    let folder = name.split(separator: "/").dropLast().map { $0 + "/" }.joined()
    return try reading(path) { () throws(HDF5Error) in
      for object in [name, "/"] {
        let names = try file.attributeNames(of: object)
        for attribute in ArrayHeader.classNameKeys where names.contains(attribute) {
          // Other writers may use such a name for something else.
          guard case .strings(let names)? = try? file.attribute(attribute, of: object) else {
            continue
          }
          return names
        }
      }
      for key in ArrayHeader.classNameKeys {
        for path in Set([folder + key, key]).sorted(by: >) {
          if let names = try file.strings(of: path) { return names }
        }
      }
      return nil
    }
  }

  private static let classNameKeys = [
    "class_names", "label_names", "target_names", "classes", "list_classes",
  ]
}
