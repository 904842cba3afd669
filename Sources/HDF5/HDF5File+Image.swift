// The bytes of an open file.

import CHDF5

extension HDF5File {
  /// Returns the current size of the file in bytes.
  ///
  /// - Throws: ``HDF5Error`` if libhdf5 cannot flush pending data.
  public func imageByteCount() throws(HDF5Error) -> Int {
    Library.enter()
    defer { Library.leave() }
    try scope.check(H5Fflush(raw, H5F_SCOPE_GLOBAL), "flush it")
    return try scope.check(H5Fget_file_image(raw, nil, 0), "measure its image")
  }

  /// Copies the current bytes of the file.
  ///
  /// - Parameter buffer: Memory of at least ``imageByteCount()`` bytes; its start is filled.
  /// - Returns: The number of bytes copied.
  /// - Throws: ``HDF5Error/wrongCount(file:object:found:expected:)`` if the buffer is too small.
  /// - Complexity: O(bytes), one copy.
  @discardableResult
  public func copyImage(into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) -> Int {
    Library.enter()
    defer { Library.leave() }
    let byteCount = try imageByteCount()
    guard byteCount <= buffer.count else {
      throw .wrongCount(file: name, object: "/", found: buffer.count, expected: byteCount)
    }
    return try scope.check(
      H5Fget_file_image(raw, buffer.baseAddress, byteCount), "copy its image")
  }

  /// Returns the current bytes of the file.
  ///
  /// - Throws: ``HDF5Error`` if libhdf5 cannot flush pending data.
  /// - Complexity: O(bytes), one copy.
  public func image() throws(HDF5Error) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: try imageByteCount())
    try bytes.withUnsafeMutableBufferPointer { (bytes) throws(HDF5Error) in
      _ = try copyImage(into: UnsafeMutableRawBufferPointer(bytes))
    }
    return bytes
  }
}
