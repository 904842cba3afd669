// Groups, links and the list of what a file holds.

import CHDF5

/// What an object of a file is.
public enum HDF5ObjectKind: Hashable, Sendable {
  /// A folder of other objects.
  case group
  /// An array of numbers, or of something else.
  case dataset
  /// A named type.
  case namedType
}

extension HDF5File {
  /// Returns what the object at `path` is, nil if there is none.
  ///
  /// - Throws: ``HDF5Error/outsideFile(file:object:through:)`` for a link that leaves the file.
  public func kind(of path: String) throws(HDF5Error) -> HDF5ObjectKind? {
    Library.enter()
    defer { Library.leave() }
    guard try linkExists(path) else { return nil }
    let object = try openObject(path)
    return switch H5Iget_type(object.raw) {
    case H5I_GROUP: .group
    case H5I_DATASET: .dataset
    default: .namedType
    }
  }

  /// Lists what lies directly in a group.
  ///
  /// - Parameter path: The group.
  /// - Returns: The names, in the order of their UTF-8 bytes.
  /// - Throws: ``HDF5Error/missing(file:object:)`` or
  ///   ``HDF5Error/wrongKind(file:object:found:expected:)``.
  public func children(of path: String = "/") throws(HDF5Error) -> [String] {
    Library.enter()
    defer { Library.leave() }
    let group = try openObject(path)
    guard H5Iget_type(group.raw) == H5I_GROUP else {
      throw .wrongKind(file: name, object: path, found: "no group", expected: "a group")
    }
    return try children(of: group, path: path)
  }

  private func children(
    of group: borrowing Identifier, path: String
  ) throws(HDF5Error) -> [String] {
    var info = H5G_info_t()
    try scope.check(H5Gget_info(group.raw, &info), "list '\(path)'")
    var names: [String] = []
    for index in 0..<info.nlinks {
      let length = try scope.check(
        H5Lget_name_by_idx(
          group.raw, ".", H5_INDEX_NAME, H5_ITER_INC, index, nil, 0, chdf5_default()),
        "list '\(path)'")
      var bytes = [CChar](repeating: 0, count: length + 1)
      try scope.check(
        H5Lget_name_by_idx(
          group.raw, ".", H5_INDEX_NAME, H5_ITER_INC, index, &bytes, bytes.count, chdf5_default()),
        "list '\(path)'")
      names.append(String(decoding: bytes.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Lists every dataset below a group.
  ///
  /// A group that is linked from several places is listed once, where it is met first.
  ///
  /// - Parameter path: The group to start from.
  /// - Returns: The datasets, in the order of their paths' UTF-8 bytes.
  /// - Throws: ``HDF5Error``, also for a link that leaves the file.
  /// - Complexity: O(objects), one dataset opened at a time.
  public func datasets(below path: String = "/") throws(HDF5Error) -> [HDF5DatasetInfo] {
    Library.enter()
    defer { Library.leave() }
    var found: [HDF5DatasetInfo] = []
    var seen: Set<UInt64> = []
    var pending = [HDF5File.components(path)]
    while let components = pending.popLast() {
      let path = "/" + components.joined(separator: "/")
      let group = try openObject(path)
      var address: UInt64 = 0
      try scope.check(chdf5_object_address(group.raw, &address), "look at '\(path)'")
      guard seen.insert(address).inserted else { continue }
      for child in try children(of: group, path: path) {
        let childPath = "/" + (components + [child]).joined(separator: "/")
        switch try kind(of: childPath) {
        case .group: pending.append(components + [child])
        case .dataset: found.append(try dataset(childPath).info)
        default: continue
        }
      }
    }
    return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// Creates a group and the groups on the way to it; one that exists is left as it is.
  ///
  /// - Throws: ``HDF5Error`` if something else has the name.
  public func createGroup(_ path: String) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    let creation = try scope.timelessCreation(chdf5_group_create_class())
    var prefix = ""
    for component in HDF5File.components(path) {
      prefix += "/" + component
      if try linkExists(prefix) { continue }
      _ = try scope.identifier(
        H5Gcreate2(raw, prefix, chdf5_default(), creation.raw, chdf5_default()),
        "create group '\(prefix)'")
    }
  }

  /// Whether every link on the way to `path` exists and stays in the file; the caller holds the lock.
  func linkExists(_ path: String) throws(HDF5Error) -> Bool {
    let access = try scope.linkAccess(chdf5_link_access_class())
    var prefix = ""
    for component in HDF5File.components(path) {
      prefix += "/" + component
      let exists = H5Lexists(raw, prefix, access.raw)
      guard exists > 0 else { return false }
      var type: Int32 = 0
      try scope.check(chdf5_link_type(raw, prefix, access.raw, &type), "look at '\(prefix)'")
      guard type == H5L_TYPE_HARD.rawValue || type == H5L_TYPE_SOFT.rawValue else {
        throw .outsideFile(file: name, object: prefix, through: "an external link")
      }
    }
    return true
  }

  /// Opens any object; the caller holds the lock.
  func openObject(_ path: String) throws(HDF5Error) -> Identifier {
    guard try linkExists(path) else { throw .missing(file: name, object: path) }
    let access = try scope.linkAccess(chdf5_link_access_class())
    let full = "/" + HDF5File.components(path).joined(separator: "/")
    return try scope.identifier(H5Oopen(raw, full, access.raw), "open '\(path)'")
  }

  /// The names on the way from the root to `path`.
  static func components(_ path: String) -> [String] {
    path.split(separator: "/").filter { $0 != "." }.map(String.init)
  }
}
