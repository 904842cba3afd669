// Groups, links, and the list of a file's datasets.

import CHDF5

/// The kind of an object in a file.
public enum HDF5ObjectKind: Hashable, Sendable {
  /// A folder of other objects.
  case group
  /// An array of elements of any type.
  case dataset
  /// A named type.
  case namedType
}

extension HDF5File {
  /// The maximum depth of nested groups, far above that of any real file.
  private static let depthLimit = 128
  /// The maximum number of objects to list.
  private static let objectLimit = 1 << 20

  /// Returns the kind of the object at `path`, or nil if the path leads to none.
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

  /// Lists the objects directly in a group.
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
    return try links(of: group, path: path).map(\.name).sorted {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }
  }

  /// A name in a group.
  private struct Link {
    let name: String
    let type: Int32
  }

  /// The names in a group, in the order of libhdf5's index.
  private func links(
    of group: borrowing Identifier, path: String
  ) throws(HDF5Error) -> [Link] {
    var links: [Link] = []
    let status = withUnsafeMutablePointer(to: &links) { links in
      chdf5_visit_links(
        group.raw,
        { name, type, client in
          guard let name, let links = client?.assumingMemoryBound(to: [Link].self) else {
            return -1
          }
          guard links.pointee.count < HDF5File.objectLimit else { return 1 }
          links.pointee.append(Link(name: String(cString: name), type: type))
          return 0
        }, links)
    }
    guard try scope.check(status, "list '\(path)'") == 0 else {
      throw .tooMany(file: name, limit: HDF5File.objectLimit)
    }
    return links
  }

  /// Lists every dataset below a group.
  ///
  /// A group with several links is listed once, under the first path that reaches it.
  ///
  /// - Parameter path: The group to start from.
  /// - Returns: The datasets, in the order of their paths' UTF-8 bytes.
  /// - Throws: ``HDF5Error``, also for a link that leaves the file; ``HDF5Error/tooDeep(file:limit:)``,
  ///   ``HDF5Error/tooMany(file:limit:)``.
  /// - Complexity: O(objects), one dataset opened at a time.
  public func datasets(below path: String = "/") throws(HDF5Error) -> [HDF5DatasetInfo] {
    Library.enter()
    defer { Library.leave() }
    guard try linkExists(path) else { throw .missing(file: name, object: path) }
    let access = try scope.linkAccess(chdf5_link_access_class())
    var found: [HDF5DatasetInfo] = []
    var objectCount = 0
    var seen: Set<UInt64> = []
    var pending = [HDF5File.components(path)]
    while let components = pending.popLast() {
      let path = "/" + components.joined(separator: "/")
      let group = try scope.identifier(H5Oopen(raw, path, access.raw), "open '\(path)'")
      var address: UInt64 = 0
      try scope.check(chdf5_object_address(group.raw, &address), "look at '\(path)'")
      guard seen.insert(address).inserted else { continue }
      let links = try links(of: group, path: path)
      objectCount += links.count
      guard objectCount <= HDF5File.objectLimit else {
        throw .tooMany(file: name, limit: HDF5File.objectLimit)
      }
      for link in links {
        let child = components + [link.name]
        let childPath = "/" + child.joined(separator: "/")
        try requireInside(link.type, childPath)
        let object = try scope.identifier(
          H5Oopen(group.raw, link.name, access.raw), "open '\(childPath)'")
        switch H5Iget_type(object.raw) {
        case H5I_GROUP:
          guard child.count <= HDF5File.depthLimit else {
            throw .tooDeep(file: name, limit: HDF5File.depthLimit)
          }
          pending.append(child)
        case H5I_DATASET:
          found.append(try HDF5Dataset(file: self, path: childPath, dataset: object).info)
        default: continue
        }
      }
    }
    return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// Creates a group and the missing groups on the way to it; existing ones stay as they are.
  ///
  /// - Throws: ``HDF5Error`` if another kind of object has the name.
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

  /// Returns whether every link on the way to `path` exists.
  ///
  /// Throws for a link that leaves the file. The caller holds the lock.
  func linkExists(_ path: String) throws(HDF5Error) -> Bool {
    let access = try scope.linkAccess(chdf5_link_access_class())
    let components = HDF5File.components(path)
    guard components.count <= HDF5File.depthLimit else {
      throw .tooDeep(file: name, limit: HDF5File.depthLimit)
    }
    var prefix = ""
    for component in components {
      prefix += "/" + component
      let exists = H5Lexists(raw, prefix, access.raw)
      guard exists > 0 else { return false }
      var type: Int32 = 0
      try scope.check(chdf5_link_type(raw, prefix, access.raw, &type), "look at '\(prefix)'")
      try requireInside(type, prefix)
    }
    return true
  }

  /// Throws for a link that leaves the file.
  private func requireInside(_ type: Int32, _ path: String) throws(HDF5Error) {
    guard type == H5L_TYPE_HARD.rawValue || type == H5L_TYPE_SOFT.rawValue else {
      throw .outsideFile(file: name, object: path, through: "an external link")
    }
  }

  /// Opens any object; the caller holds the lock.
  func openObject(_ path: String) throws(HDF5Error) -> Identifier {
    guard try linkExists(path) else { throw .missing(file: name, object: path) }
    let access = try scope.linkAccess(chdf5_link_access_class())
    let full = "/" + HDF5File.components(path).joined(separator: "/")
    return try scope.identifier(H5Oopen(raw, full, access.raw), "open '\(path)'")
  }

  /// Returns the names on the way from the root to `path`.
  static func components(_ path: String) -> [String] {
    path.split(separator: "/").filter { $0 != "." }.map(String.init)
  }
}
