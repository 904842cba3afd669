// Reading and writing the elements of a dataset.

import CHDF5

extension HDF5Dataset {
  /// Reads all elements.
  ///
  /// Numbers beyond the range of `type` are clipped to it, as libhdf5 does.
  ///
  /// - Parameters:
  ///   - buffer: Memory of exactly `info.count` elements of `type`.
  ///   - type: The type to convert to; by default the file's own, in little-endian order.
  /// - Throws: ``HDF5Error``; the errors of ``requireStored()`` instead of fill values.
  /// - Complexity: O(bytes); no copy on our side.
  public func read(
    into buffer: UnsafeMutableRawBufferPointer, as type: HDF5ScalarType? = nil
  ) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    let memoryType = try checkedMemoryType(type, count: info.count, byteCount: buffer.count)
    guard info.count > 0 else { return }
    try requireStored()
    try checkRead(
      H5Dread(
        raw, memoryType.raw, chdf5_space_all(), chdf5_space_all(), chdf5_default(),
        buffer.baseAddress))
  }

  /// Reads the elements of consecutive rows; a row is one index of the first axis.
  ///
  /// - Parameters:
  ///   - rows: The rows, within the first extent.
  ///   - buffer: Memory of exactly the rows' elements of `type`.
  ///   - type: The type to convert to; by default the file's own, in little-endian order.
  /// - Throws: ``HDF5Error``; the errors of ``requireStored()`` instead of fill values.
  /// - Complexity: O(bytes), plus tens of microseconds for the call.
  public func read(
    rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer, as type: HDF5ScalarType? = nil
  ) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    let memoryType = try checkedMemoryType(
      type, count: rows.count * rowElementCount, byteCount: buffer.count)
    guard buffer.count > 0 else { return }
    try requireStored()
    let memorySpace = try select(rows)
    try checkRead(
      H5Dread(
        raw, memoryType.raw, memorySpace.raw, rawSpace, chdf5_default(), buffer.baseAddress))
  }

  /// Reads all elements in order, piece by piece, in the file's own type but little-endian.
  ///
  /// - Parameters:
  ///   - byteLimit: The maximum size of a piece, unless a single element is larger.
  ///   - body: Called with each piece.
  /// - Throws: ``HDF5Error``; the errors of ``requireStored()`` instead of fill values.
  /// - Complexity: O(bytes); one allocation of a piece.
  public func forEachPiece(
    upTo byteLimit: Int, _ body: (UnsafeRawBufferPointer) -> Void
  ) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    guard info.count > 0 else { return }
    let elementLimit = max(1, byteLimit / (info.type?.byteCount ?? 1))
    let elementByteCount = info.type?.byteCount ?? 1
    let extents = info.shape.isEmpty ? [1] : info.shape
    // A piece holds one index of the axes before `axis`, some of `axis`, and all of the axes after it.
    var axis = 0
    var inner = info.count / extents[0]
    while inner > elementLimit {
      axis += 1
      inner /= extents[axis]
    }
    let run = min(extents[axis], max(1, elementLimit / inner))
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: run * inner * elementByteCount, alignment: 64)
    defer { buffer.deallocate() }
    var start = [Int](repeating: 0, count: extents.count)
    while start[0] < extents[0] {
      let count = min(run, extents[axis] - start[axis])
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<(count * inner * elementByteCount)])
      if info.shape.isEmpty {
        try read(into: piece)
      } else {
        let counts = extents.indices.map { $0 < axis ? 1 : $0 == axis ? count : extents[$0] }
        try read(from: start, counts, into: piece)
      }
      body(UnsafeRawBufferPointer(piece))
      start[axis] += count
      var carried = axis
      while carried > 0, start[carried] == extents[carried] {
        start[carried] = 0
        carried -= 1
        start[carried] += 1
      }
    }
  }

  /// Reads a block of elements in the file's own type but little-endian.
  private func read(
    from start: [Int], _ counts: [Int], into buffer: UnsafeMutableRawBufferPointer
  ) throws(HDF5Error) {
    let count = counts.reduce(1, *)
    let memoryType = try checkedMemoryType(nil, count: count, byteCount: buffer.count)
    try requireStored()
    let action = "select a part of '\(info.path)'"
    try file.scope.check(
      H5Sselect_hyperslab(
        rawSpace, H5S_SELECT_SET, start.map { hsize_t($0) }, nil, counts.map { hsize_t($0) }, nil),
      action)
    let memorySpace = try file.scope.makeSpace([count], action: action)
    try checkRead(
      H5Dread(
        raw, memoryType.raw, memorySpace.raw, rawSpace, chdf5_default(), buffer.baseAddress))
  }

  /// Writes all elements.
  ///
  /// - Parameters:
  ///   - buffer: Exactly `info.count` elements of `type`.
  ///   - type: The type to convert from; by default the file's own, in little-endian order.
  /// - Throws: ``HDF5Error`` if libhdf5 refuses.
  /// - Complexity: O(bytes).
  public func write(
    _ buffer: UnsafeRawBufferPointer, as type: HDF5ScalarType? = nil
  ) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    let memoryType = try checkedMemoryType(type, count: info.count, byteCount: buffer.count)
    guard info.count > 0 else { return }
    try file.scope.check(
      H5Dwrite(
        raw, memoryType.raw, chdf5_space_all(), chdf5_space_all(), chdf5_default(),
        buffer.baseAddress),
      "write '\(info.path)'")
  }

  /// The number of elements of one row, 1 for an array of one axis.
  public var rowElementCount: Int { info.shape.dropFirst().reduce(1, *) }

  /// Selects rows of the file and returns the space of the memory for them.
  private func select(_ rows: Range<Int>) throws(HDF5Error) -> Identifier {
    precondition(
      !info.shape.isEmpty && rows.lowerBound >= 0 && rows.upperBound <= info.shape[0],
      "rows \(rows) of '\(info.path)' with extents \(info.shape)")
    var start = [hsize_t](repeating: 0, count: info.shape.count)
    var count = info.shape.map { hsize_t($0) }
    start[0] = hsize_t(rows.lowerBound)
    count[0] = hsize_t(rows.count)
    let action = "select rows of '\(info.path)'"
    try file.scope.check(
      H5Sselect_hyperslab(rawSpace, H5S_SELECT_SET, start, nil, count, nil), action)
    return try file.scope.makeSpace([rows.count * rowElementCount], action: action)
  }

  /// Returns the memory type, after checking that the buffer holds exactly `count` elements of it.
  private func checkedMemoryType(
    _ type: HDF5ScalarType?, count: Int, byteCount: Int
  ) throws(HDF5Error) -> Identifier {
    guard let stored = info.type else {
      throw .unsupportedType(file: file.name, object: info.path, found: info.typeName)
    }
    let type = type ?? stored.littleEndian
    guard byteCount == count * type.byteCount else {
      throw .wrongCount(
        file: file.name, object: info.path, found: byteCount, expected: count * type.byteCount)
    }
    return try type.makeIdentifier(file.scope)
  }
}

extension HDF5File {
  /// Creates a dataset and writes all its elements.
  ///
  /// - Parameters:
  ///   - path: The path from the root; missing groups on the way are created.
  ///   - type: The type of the elements in the file.
  ///   - shape: The lengths of the axes; none for a single element.
  ///   - buffer: The elements, little-endian and packed.
  /// - Throws: ``HDF5Error`` if the path is taken or the byte count differs.
  public func writeDataset(
    _ path: String, type: HDF5ScalarType, shape: [Int], from buffer: UnsafeRawBufferPointer
  ) throws(HDF5Error) {
    try createDataset(path, type: type, shape: shape).write(buffer)
  }
}
