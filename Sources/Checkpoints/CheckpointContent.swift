// The contents of a checkpoint, and writing it.

public import Files
import HDF5
public import Tensors

/// The contents of a checkpoint: arrays, which stay in their own memory, and the record of the run.
///
/// ```swift
/// var content = CheckpointContent(record)
/// content.add("parameters", layout, from: parameters)
/// content.add("optimizer/momentum", layout, from: momentum)
/// try content.write(to: "checkpoints/step-0000000010.h5")
/// ```
///
/// The vectors are read when the checkpoint is written. A `FloatBuffer` is retained until then; memory that
/// is added by pointer must be kept by the caller.
public struct CheckpointContent {
  private struct Array {
    let path: String
    let shape: Shape
    let elements: UnsafeBufferPointer<Float>
  }

  /// The record of the run.
  public var record: RunRecord
  private var arrays: [Array] = []
  private var owners: [FloatBuffer] = []

  /// Creates the content without arrays.
  public init(_ record: RunRecord) { self.record = record }

  /// Adds the arrays of a flat vector as `/<group>/<name of the range>`.
  ///
  /// - Parameters:
  ///   - group: `parameters`, `state`, `average` or `optimizer/<slot>`.
  ///   - layout: The names, shapes and offsets of the arrays.
  ///   - vector: A flat vector of that layout.
  public mutating func add(
    _ group: String, _ layout: FlatLayout, from vector: UnsafeBufferPointer<Float>
  ) {
    precondition(
      vector.count >= layout.count, "\(vector.count) floats for a layout of \(layout.count)")
    for range in layout.ranges {
      arrays.append(
        Array(
          path: "/\(group)/\(range.name)", shape: range.shape,
          elements: UnsafeBufferPointer(rebasing: vector[range.indices])))
    }
  }

  /// Adds the arrays of a flat vector as `/<group>/<name of the range>`, and retains the vector.
  ///
  /// - Parameters:
  ///   - group: `parameters`, `state`, `average` or `optimizer/<slot>`.
  ///   - layout: The names, shapes and offsets of the arrays.
  ///   - vector: A flat vector of that layout.
  public mutating func add(_ group: String, _ layout: FlatLayout, from vector: FloatBuffer) {
    add(group, layout, from: UnsafeBufferPointer(vector.elements))
    owners.append(vector)
  }

  /// Writes the checkpoint atomically.
  ///
  /// The file is built in memory, sealed with its digest, written under a temporary name, synced and
  /// renamed; a write that fails leaves nothing behind and the path as it was.
  ///
  /// - Parameters:
  ///   - name: The file.
  ///   - folder: Its folder, in which only one process writes at a time.
  /// - Returns: Its length in bytes.
  /// - Throws: ``CheckpointError/file(_:)`` with the system's reason, such as a full disk.
  /// - Complexity: O(bytes): one copy into HDF5's memory, one of its image, one digest, one write.
  @discardableResult
  public func write(_ name: String, in folder: Folder) throws(CheckpointError) -> Int {
    let image = try hdf5 { () throws(HDF5Error) in
      try self.image(name: "\(folder.path)/\(name)")
    }
    defer { image.deallocate() }
    Envelope.seal(image)
    let bytes = UnsafeRawBufferPointer(image)
    try files { () throws(FileError) in try folder.replace(name, with: [bytes]) }
    return bytes.count
  }

  /// Writes the checkpoint to a path, atomically.
  ///
  /// - Parameter path: The file, in an existing folder.
  /// - Returns: Its length in bytes.
  /// - Throws: ``CheckpointError`` as ``write(_:in:)``.
  @discardableResult
  public func write(to path: String) throws(CheckpointError) -> Int {
    let parent = try files { () throws(FileError) in try Folder(folder(of: path)) }
    return try write(path.split(separator: "/").last.map(String.init) ?? "", in: parent)
  }

  /// Returns the bytes of the file, with room for the envelope in front; the caller deallocates them.
  private func image(name: String) throws(HDF5Error) -> UnsafeMutableRawBufferPointer {
    // About the final size, so that HDF5's memory does not grow by copying.
    let dataByteCount = arrays.reduce(0) { $0 + 4 * $1.elements.count + 1024 }
    let file = try HDF5File(inMemory: name, growth: dataByteCount + (1 << 16))
    for array in arrays.sorted(by: { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }) {
      try file.writeDataset(
        array.path, type: .float32, shape: array.shape.extents,
        from: UnsafeRawBufferPointer(array.elements))
    }
    try record.write(to: file)
    let byteCount = try file.imageByteCount()
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Envelope.byteCount + byteCount, alignment: 64)
    withExtendedLifetime(owners) {}
    do throws(HDF5Error) {
      try file.copyImage(
        into: UnsafeMutableRawBufferPointer(rebasing: bytes[Envelope.byteCount...]))
    } catch {
      bytes.deallocate()
      throw error
    }
    return bytes
  }
}
