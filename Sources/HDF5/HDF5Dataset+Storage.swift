// How much of a dataset its file holds, and through what it was stored.

import CHDF5

extension HDF5Dataset {
  /// Refuses extents that claim more than the file holds; to be called before memory is taken for them.
  ///
  /// libhdf5 gives fill values for what was never written: 6 KB of a file can claim a terabyte. What a
  /// filter has made small counts as whole, since chunks are counted, not their bytes.
  ///
  /// - Throws: ``HDF5Error/neverWritten(file:object:)``,
  ///   ``HDF5Error/incomplete(file:object:extents:claimed:held:)``.
  /// - Complexity: O(chunks) the first time, which are no more than the bytes of the file.
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
      // No more than there are elements.
      let claimed = zip(info.shape, extents).reduce(1) { product, axis in
        let chunk = Int(clamping: max(axis.1, 1))
        return product * ((axis.0 - 1) / chunk + 1)
      }
      var held = fileByteCount
      if claimed <= held {
        // A space of its own, in which nothing is selected but all.
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

  /// Throws if reading failed, for the filter that was missing if that is why.
  func checkRead(_ status: herr_t) throws(HDF5Error) {
    guard status < 0 else { return }
    let failure = file.scope.failure("read '\(info.path)'")
    throw (try? missingFilter()) ?? failure
  }

  /// The error for the first filter that libhdf5 does not have.
  private func missingFilter() throws(HDF5Error) -> HDF5Error? {
    let action = "look at the filters of '\(info.path)'"
    let creation = try file.scope.identifier(H5Dget_create_plist(raw), action)
    for index in 0..<max(0, H5Pget_nfilters(creation.raw)) {
      var (flags, valueCount, configuration) = (UInt32(0), 0, UInt32(0))
      var bytes = [CChar](repeating: 0, count: 64)
      let number = H5Pget_filter2(
        creation.raw, UInt32(index), &flags, &valueCount, nil, bytes.count, &bytes, &configuration)
      guard number > 0, H5Zfilter_avail(number) <= 0 else { continue }
      // What the file calls it, if nothing better is known.
      let written = String(
        decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let name = HDF5Dataset.pluginNames[Int(number)] ?? (written.isEmpty ? nil : written)
      return .missingFilter(
        file: file.name, object: info.path, number: Int(number), name: name)
    }
    return nil
  }

  /// The usual plug-ins, by the numbers that The HDF Group keeps.
  ///
  /// Source: https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md
  private static let pluginNames = [
    4: "SZIP", 307: "BZIP2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle",
    32013: "ZFP", 32015: "Zstandard", 32017: "SZ", 32019: "JPEG", 32024: "SZ3", 32026: "Blosc2",
  ]
}
