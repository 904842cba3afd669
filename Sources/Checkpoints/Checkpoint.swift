// Reading a checkpoint: verified first, then read directly into flat vectors.

import Digests
import HDF5
public import Tensors

/// A checkpoint open for reading.
///
/// Opening verifies every byte of our own files. A plain HDF5 file with the same groups, such as one written
/// by h5py, can be read too; it has no digest, so ``isVerified`` is false.
public final class Checkpoint {
  /// One array of a checkpoint.
  public struct Array: Hashable, Sendable {
    /// The path without the leading slash, such as `parameters/affine1/weight`.
    public let path: String
    /// The lengths of its axes.
    public let shape: Shape
    /// The type of its elements in the file, such as `f32`.
    public let typeName: String
  }

  /// The file.
  public let path: String
  /// Indicates whether every byte is known to be as it was written.
  public let isVerified: Bool
  /// The arrays of all groups except `/run`, in the order of their paths' UTF-8 bytes.
  public let arrays: [Array]
  private let file: HDF5File

  /// The number of bytes of an array to read and hash at once.
  private static let pieceByteCount = 64 << 20

  /// Opens and verifies a checkpoint.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - mustBeVerified: True to refuse plain HDF5 files.
  /// - Throws: ``CheckpointError`` with the path, the bytes found and those expected.
  /// - Complexity: O(bytes) for the digest; no array is read yet.
  public init(_ path: String, mustBeVerified: Bool = false) throws(CheckpointError) {
    self.path = path
    isVerified = try Envelope.verify(path)
    guard isVerified || !mustBeVerified else {
      throw .damaged(
        path: path, found: "an HDF5 file without our digest", expected: "a checkpoint of a run")
    }
    let file: HDF5File
    let datasets: [HDF5DatasetInfo]
    do throws(HDF5Error) {
      file = try HDF5File(reading: path)
      datasets = try file.datasets()
      for dataset in datasets { try file.dataset(dataset.path).requireStored() }
    } catch {
      throw .hdf5(error)
    }
    self.file = file
    arrays = datasets.filter { !$0.path.hasPrefix("/run/") && $0.path != "/run" }.map {
      Array(path: String($0.path.dropFirst()), shape: Shape($0.shape), typeName: $0.typeName)
    }
  }

  /// Reads the record of the run.
  ///
  /// - Throws: ``CheckpointError/damaged(path:found:expected:)`` if the file has no record of a run.
  public func record() throws(CheckpointError) -> RunRecord { try RunRecord(of: file) }

  /// Indicates whether the file has a record of a run, as our own files always do.
  var hasRecord: Bool { (try? file.kind(of: "/run")) == .group }

  /// Returns whether a group holds arrays.
  public func contains(_ group: String) -> Bool {
    arrays.contains { $0.path.hasPrefix(group + "/") }
  }

  /// Reads all arrays of a group into a flat vector, by name.
  ///
  /// The group must hold exactly the arrays of the layout, with the same shapes. Floats of other
  /// widths are converted. Elements between the ranges are left alone.
  ///
  /// - Parameters:
  ///   - group: `parameters`, `state`, `average` or `optimizer/<slot>`.
  ///   - layout: The names, shapes and offsets of the arrays.
  ///   - vector: A flat vector of that layout.
  /// - Throws: ``CheckpointError/otherModel(path:found:expected:)`` naming the first array that is
  ///   missing, superfluous or of another shape, before the vector is touched;
  ///   ``CheckpointError/hdf5(_:)`` if an array cannot be read.
  /// - Complexity: O(bytes), no copy.
  public func read(
    _ group: String, _ layout: FlatLayout, into vector: UnsafeMutableBufferPointer<Float>
  ) throws(CheckpointError) {
    precondition(
      vector.count >= layout.count, "\(vector.count) floats for a layout of \(layout.count)")
    try requireMatch(group, layout)
    for range in layout.ranges {
      let elements = UnsafeMutableBufferPointer(rebasing: vector[range.indices])
      try hdf5 { () throws(HDF5Error) in
        try file.dataset("/\(group)/\(range.name)").read(
          into: UnsafeMutableRawBufferPointer(elements), as: .float32)
      }
    }
  }

  /// Throws unless a group holds exactly the arrays of a layout.
  ///
  /// - Parameters:
  ///   - group: The group.
  ///   - layout: The names and shapes expected in it.
  /// - Throws: ``CheckpointError/otherModel(path:found:expected:)``.
  public func requireMatch(_ group: String, _ layout: FlatLayout) throws(CheckpointError) {
    let prefix = group + "/"
    let mine = arrays.filter { $0.path.hasPrefix(prefix) }
    let byName = Dictionary(
      uniqueKeysWithValues: mine.map { ($0.path.dropFirst(prefix.count), $0) })
    for range in layout.ranges {
      guard let array = byName[range.name[...]] else {
        throw .otherModel(
          path: path, found: "no '\(prefix)\(range.name)'", expected: "one of shape \(range.shape)")
      }
      guard array.shape == range.shape else {
        throw .otherModel(
          path: path, found: "'\(array.path)' of shape \(array.shape)",
          expected: "shape \(range.shape)")
      }
      guard array.typeName.hasPrefix("f") else {
        throw .otherModel(
          path: path, found: "'\(array.path)' of type \(array.typeName)", expected: "floats")
      }
    }
    if let array = mine.first(where: { layout[String($0.path.dropFirst(prefix.count))] == nil }) {
      throw .otherModel(
        path: path, found: "'\(array.path)' of shape \(array.shape)", expected: "no such array")
    }
  }

  /// Returns the digest of all arrays, 64 hexadecimal digits: equal for equal arrays of any run and file.
  ///
  /// SHA-256 over the arrays of all groups except `/run`, in the order of their paths' UTF-8 bytes. For
  /// each: byte count of the path; the path in UTF-8, with its leading slash; byte count of the type;
  /// the type, `f`, `i` or `u` and the bytes of an element, such as `f4`; number of axes; extent of
  /// each; elements in row-major order, little-endian. Counts and extents are 8 bytes, little-endian.
  ///
  /// - Throws: ``CheckpointError/hdf5(_:)`` if an array holds no numbers or cannot be read.
  /// - Complexity: O(bytes), with at most 64 MiB in memory at a time.
  public func digest() throws(CheckpointError) -> String {
    var digest = SHA256()
    for array in arrays {
      let dataset = try hdf5 { () throws(HDF5Error) in try file.dataset("/" + array.path) }
      guard let type = dataset.info.type else {
        throw .hdf5(
          .unsupportedType(file: path, object: dataset.info.path, found: dataset.info.typeName))
      }
      let letter = type.kind == .float ? "f" : type.isSigned ? "i" : "u"
      for text in [dataset.info.path, "\(letter)\(type.byteCount)"] {
        digest.update(UInt64(text.utf8.count))
        digest.update(text)
      }
      digest.update(UInt64(array.shape.axisCount))
      for extent in array.shape.extents { digest.update(UInt64(extent)) }
      try hdf5 { () throws(HDF5Error) in
        try dataset.forEachPiece(upTo: Checkpoint.pieceByteCount) { digest.update($0) }
      }
    }
    return digest.finalizeHex()
  }
}
