// The storage of a dataset: the part of it that the file holds, and its filters.

import CHDF5

extension HDF5Dataset {
  /// Refuses extents that claim more than the file holds; call it before allocating memory for them.
  ///
  /// libhdf5 returns fill values for data that were never written: 6 KB of a file can claim a terabyte.
  /// Filtered data count as whole, because chunks are counted, not their bytes.
  ///
  /// - Throws: ``HDF5Error/neverWritten(file:object:)``,
  ///   ``HDF5Error/incomplete(file:object:extents:claimed:held:)``.
  /// - Complexity: O(chunks) the first time; a file has no more chunks than bytes.
  public func requireStored() throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    guard !isKnownStored, info.count > 0 else { return }
    let (scope, action) = (file.scope, "look at the storage of '\(info.path)'")
    guard H5Dget_storage_size(raw) > 0 else {
      throw .neverWritten(file: file.name, object: info.path)
    }
    func incomplete(_ claimed: String, _ held: String) -> HDF5Error {
      .incomplete(
        file: file.name, object: info.path, extents: info.shape, claimed: claimed, held: held)
    }
    let creation = try scope.identifier(H5Dget_create_plist(raw), action)
    var fileByteCount: hsize_t = 0
    try scope.check(H5Fget_filesize(file.raw, &fileByteCount), action)
    let isChunked = H5Pget_layout(creation.raw) == H5D_CHUNKED
    if isChunked {
      var extents = [hsize_t](repeating: 1, count: info.shape.count)
      try scope.check(H5Pget_chunk(creation.raw, Int32(extents.count), &extents), action)
      // The product is at most the number of elements, so it cannot overflow.
      let claimed = zip(info.shape, extents).reduce(1) { product, axis in
        let chunk = Int(clamping: max(axis.1, 1))
        return product * ((axis.0 - 1) / chunk + 1)
      }
      var held = fileByteCount
      if claimed <= held {
        // A fresh space, which selects all elements.
        let space = try scope.identifier(H5Dget_space(raw), action)
        try scope.check(H5Dget_num_chunks(raw, space.raw, &held), action)
      }
      guard claimed <= held else {
        throw incomplete("\(claimed) chunks", claimed <= fileByteCount ? "\(held)" : "fewer")
      }
    }
    if !isChunked || H5Pget_nfilters(creation.raw) == 0 {
      let type = try scope.identifier(H5Dget_type(raw), action)
      let (claimed, isBeyondCount) = info.count.multipliedReportingOverflow(
        by: H5Tget_size(type.raw))
      let held = min(H5Dget_storage_size(raw), fileByteCount)
      guard !isBeyondCount, claimed <= held else {
        throw incomplete(
          isBeyondCount ? "more bytes than can be counted" : "\(claimed) bytes", "\(held)")
      }
    }
    isKnownStored = true
  }

  /// Throws if reading failed, naming the missing filter if one is the cause.
  func checkRead(_ status: herr_t) throws(HDF5Error) {
    guard status < 0 else { return }
    let failure = file.scope.failure("read '\(info.path)'")
    throw (try? missingFilter()) ?? failure
  }

  /// Returns the error for the first filter that libhdf5 does not have.
  private func missingFilter() throws(HDF5Error) -> HDF5Error? {
    let action = "look at the filters of '\(info.path)'"
    let creation = try file.scope.identifier(H5Dget_create_plist(raw), action)
    for index in 0..<max(0, H5Pget_nfilters(creation.raw)) {
      var (flags, valueCount, configuration) = (UInt32(0), 0, UInt32(0))
      var bytes = [CChar](repeating: 0, count: 64)
      let number = H5Pget_filter2(
        creation.raw, UInt32(index), &flags, &valueCount, nil, bytes.count, &bytes, &configuration)
      guard number > 0, H5Zfilter_avail(number) <= 0 else { continue }
      // The name in the file, if no better one is known.
      let written = String(
        decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let name = HDF5Dataset.pluginNames[Int(number)] ?? (written.isEmpty ? nil : written)
      return .missingFilter(
        file: file.name, object: info.path, number: Int(number), name: name)
    }
    return nil
  }

  /// The usual plug-ins, by their numbers in the registry of The HDF Group.
  ///
  /// Source: https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md
  private static let pluginNames = [
    4: "SZIP", 307: "BZIP2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle",
    32013: "ZFP", 32015: "Zstandard", 32017: "SZ", 32019: "JPEG", 32024: "SZ3", 32026: "Blosc2",
  ]
}
