// One dataset: its type, its extents, and the location of its bytes.

import CHDF5

/// The description of a dataset, without its elements.
public struct HDF5DatasetInfo: Hashable, Sendable {
  /// The path from the root, with a leading slash.
  public let path: String
  /// The type of the elements in the file; nil unless they are numbers of up to 64 bits.
  public let type: HDF5ScalarType?
  /// The type in words, such as `f32` or `strings`.
  public let typeName: String
  /// The lengths of the axes, outermost first; none for a single element.
  public let shape: [Int]
  /// The number of elements.
  public let count: Int
}

/// An open dataset whose bytes lie in its own file.
///
/// Elements are passed in row-major order, little-endian and packed. Calls may come from any thread.
public final class HDF5Dataset: @unchecked Sendable {
  /// Path, type and extents.
  public let info: HDF5DatasetInfo
  /// The file that holds it.
  public let file: HDF5File
  private let dataset: Identifier
  private let space: Identifier
  /// Indicates whether the file is known to hold all that the extents claim; used under the lock.
  var isKnownStored = false

  /// Takes ownership of an id of libhdf5; the caller holds the lock.
  init(file: HDF5File, path: String, dataset: consuming Identifier) throws(HDF5Error) {
    let scope = file.scope
    try scope.refuseOutsideStorage(dataset, path: path)
    let type = try scope.identifier(H5Dget_type(dataset.raw), "read the type of '\(path)'")
    let space = try scope.identifier(H5Dget_space(dataset.raw), "read the extents of '\(path)'")
    let scalarType = HDF5ScalarType(describing: type.raw)
    let shape = try scope.shape(of: space, path: path)
    info = HDF5DatasetInfo(
      path: path, type: scalarType, typeName: scalarType?.description ?? typeName(of: type),
      shape: shape.extents, count: shape.count)
    self.file = file
    self.dataset = dataset
    self.space = space
  }

  /// The ids to pass to libhdf5; the caller holds the lock.
  var raw: hid_t { dataset.raw }
  var rawSpace: hid_t { space.raw }
}

extension HDF5File {
  /// Opens a dataset.
  ///
  /// - Parameter path: The path from the root.
  /// - Returns: The dataset, of any element type; see ``HDF5DatasetInfo/type``.
  /// - Throws: ``HDF5Error/missing(file:object:)``,
  ///   ``HDF5Error/wrongKind(file:object:found:expected:)``,
  ///   ``HDF5Error/outsideFile(file:object:through:)``, or
  ///   ``HDF5Error/tooLarge(file:object:extents:)`` if the elements cannot be counted.
  public func dataset(_ path: String) throws(HDF5Error) -> HDF5Dataset {
    Library.enter()
    defer { Library.leave() }
    let full = "/" + HDF5File.components(path).joined(separator: "/")
    switch try kind(of: full) {
    case .dataset: break
    case nil: throw .missing(file: name, object: full)
    case .group:
      throw .wrongKind(file: name, object: full, found: "a group", expected: "a dataset")
    case .namedType:
      throw .wrongKind(file: name, object: full, found: "a named type", expected: "a dataset")
    }
    let access = try scope.linkAccess(chdf5_dataset_access_class())
    let dataset = try scope.identifier(H5Dopen2(raw, full, access.raw), "open '\(full)'")
    return try HDF5Dataset(file: self, path: full, dataset: dataset)
  }

  /// Creates a dataset of fixed extents, stored contiguously, and the missing groups on the way to it.
  ///
  /// Its space in the file is allocated at once; the elements are undefined until written.
  ///
  /// - Parameters:
  ///   - path: The path from the root.
  ///   - type: The type of the elements in the file.
  ///   - shape: The lengths of the axes; none for a single element.
  /// - Returns: The dataset, to write.
  /// - Throws: ``HDF5Error`` if the path is taken.
  @discardableResult
  public func createDataset(
    _ path: String, type: HDF5ScalarType, shape: [Int]
  ) throws(HDF5Error) -> HDF5Dataset {
    Library.enter()
    defer { Library.leave() }
    let components = HDF5File.components(path)
    let full = "/" + components.joined(separator: "/")
    let action = "create '\(full)'"
    try createGroup(components.dropLast().joined(separator: "/"))
    let fileType = try type.makeIdentifier(scope)
    let space = try scope.makeSpace(shape, action: action)
    let creation = try scope.timelessCreation(chdf5_dataset_create_class())
    try scope.check(H5Pset_layout(creation.raw, H5D_CONTIGUOUS), action)
    try scope.check(H5Pset_alloc_time(creation.raw, H5D_ALLOC_TIME_EARLY), action)
    try scope.check(H5Pset_fill_time(creation.raw, H5D_FILL_TIME_NEVER), action)
    let dataset = try scope.identifier(
      H5Dcreate2(
        raw, full, fileType.raw, space.raw, chdf5_default(), creation.raw, chdf5_default()),
      action)
    return try HDF5Dataset(file: self, path: full, dataset: dataset)
  }
}

extension HDF5Dataset {
  /// The bytes that the elements take in the file, 0 before anything is stored.
  public var storedByteCount: Int {
    Library.enter()
    defer { Library.leave() }
    return Int(clamping: H5Dget_storage_size(raw))
  }

  /// The offset of the elements in the file; nil unless they are stored contiguously.
  public var fileOffset: Int? {
    Library.enter()
    defer { Library.leave() }
    let offset = H5Dget_offset(raw)
    return offset == chdf5_undefined_address() ? nil : Int(exactly: offset)
  }
}

extension HDF5Dataset {
  /// The offset of the elements in the file, if their bytes there equal those in memory; else nil.
  ///
  /// That is so if they are stored contiguously and exactly in the form of ``HDF5ScalarType/machineType``.
  /// Such elements can be read by system calls, without the lock.
  public var directOffset: Int? {
    Library.enter()
    defer { Library.leave() }
    guard let type = info.type, storedByteCount >= info.count * type.byteCount,
      let machine = try? type.machineType.makeIdentifier(file.scope)
    else { return nil }
    let stored = H5Dget_type(raw)
    defer { H5Tclose(stored) }
    return H5Tequal(stored, machine.raw) > 0 ? fileOffset : nil
  }
}

extension Scope {
  /// Makes a space from the extents of an array; none for a single element.
  func makeSpace(_ shape: [Int], action: String) throws(HDF5Error) -> Identifier {
    let extents = shape.map { hsize_t($0) }
    return try identifier(
      extents.isEmpty
        ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(extents.count), extents, nil), action)
  }

  /// Returns the extents and the number of elements, computed here because libhdf5's own count wraps round.
  func shape(
    of space: borrowing Identifier, path: String
  ) throws(HDF5Error) -> (extents: [Int], count: Int) {
    switch H5Sget_simple_extent_type(space.raw) {
    case H5S_SCALAR: return ([], 1)
    case H5S_NULL: return ([0], 0)
    default: break
    }
    let axisCount = try check(
      H5Sget_simple_extent_ndims(space.raw), "read the extents of '\(path)'")
    var extents = [hsize_t](repeating: 0, count: Int(axisCount))
    try check(
      H5Sget_simple_extent_dims(space.raw, &extents, nil), "read the extents of '\(path)'")
    // Axes of extent 0 do not excuse the others, whose product is used by itself.
    var count = 1
    for extent in extents where extent > 0 {
      // 8 bytes an element must be addressable, so that no later product of bytes can overflow.
      guard let extent = Int(exactly: extent), count <= Int.max / 8 / extent else {
        throw .tooLarge(file: file, object: path, extents: extents)
      }
      count *= extent
    }
    return (extents.map { Int($0) }, extents.contains(0) ? 0 : count)
  }

  /// Throws for a dataset whose elements are read from other files.
  func refuseOutsideStorage(
    _ dataset: borrowing Identifier, path: String
  ) throws(HDF5Error) {
    let creation = try identifier(
      H5Dget_create_plist(dataset.raw), "read the properties of '\(path)'")
    if H5Pget_layout(creation.raw) == H5D_VIRTUAL {
      throw .outsideFile(file: file, object: path, through: "a virtual dataset")
    }
    guard H5Pget_layout(creation.raw) != H5D_CONTIGUOUS || H5Pget_external_count(creation.raw) == 0
    else { throw .outsideFile(file: file, object: path, through: "external storage") }
  }
}

/// Returns the name of a type that is not an ``HDF5ScalarType``.
func typeName(of type: borrowing Identifier) -> String {
  switch H5Tget_class(type.raw) {
  case H5T_INTEGER: "integers of \(8 * H5Tget_size(type.raw)) bits"
  case H5T_FLOAT: "floats of \(8 * H5Tget_size(type.raw)) bits that are not IEEE 754"
  case H5T_STRING: "strings"
  case H5T_COMPOUND: "compounds"
  case H5T_ENUM: "enumerated values"
  case H5T_ARRAY: "arrays"
  case H5T_VLEN: "sequences of varying length"
  case H5T_REFERENCE: "references"
  case H5T_OPAQUE: "opaque bytes"
  case H5T_BITFIELD: "bit fields"
  default: "values of an unknown class"
  }
}
