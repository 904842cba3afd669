// Attributes: small values attached to a file's objects.

import CHDF5

/// The value of an attribute.
public enum HDF5Attribute: Hashable, Sendable {
  /// One string, UTF-8.
  case string(String)
  /// A list of strings, UTF-8.
  case strings([String])
  /// One integer.
  case integer(Int64)
  /// A list of integers.
  case integers([Int64])
  /// One integer above the range of `Int64`, or any written as unsigned.
  case unsigned(UInt64)
  /// One float.
  case double(Double)
  /// A list of floats.
  case doubles([Double])
}

extension HDF5Attribute {
  /// The value or values as floats, nil for strings.
  public var doubleValues: [Double]? {
    switch self {
    case .double(let value): [value]
    case .doubles(let values): values
    case .integer(let value): [Double(value)]
    case .integers(let values): values.map(Double.init)
    case .unsigned(let value): [Double(value)]
    case .string, .strings: nil
    }
  }

  /// The value as an `Int`, if it is one integer and fits.
  public var integerValue: Int? {
    switch self {
    case .integer(let value): Int(exactly: value)
    case .unsigned(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value as a `UInt64`, if it is one integer and not negative.
  public var unsignedValue: UInt64? {
    switch self {
    case .integer(let value): UInt64(exactly: value)
    case .unsigned(let value): value
    default: nil
    }
  }

  /// The value as a string, if it is one string or a list of one.
  public var stringValue: String? {
    switch self {
    case .string(let value): value
    case .strings(let values) where values.count == 1: values[0]
    default: nil
    }
  }

  /// Indicates whether this is a single value and not a list.
  public var isScalar: Bool {
    switch self {
    case .string, .integer, .unsigned, .double: true
    case .strings, .integers, .doubles: false
    }
  }
}

extension HDF5File {
  /// The maximum number of elements of an attribute: lists of names or factors stay far below, and a file
  /// that claims more is damaged.
  private static let attributeLimit = 1 << 20

  /// Reads an attribute of an object.
  ///
  /// - Parameters:
  ///   - attribute: The attribute's name.
  ///   - path: The object's path; `/` for the file's own attributes.
  /// - Returns: The value, or nil if the object has no attribute of that name.
  /// - Throws: ``HDF5Error/unsupportedType(file:object:found:)`` if it is neither text nor numbers.
  public func attribute(_ attribute: String, of path: String) throws(HDF5Error) -> HDF5Attribute? {
    Library.enter()
    defer { Library.leave() }
    let object = try openObject(path)
    let action = "read attribute '\(attribute)' of '\(path)'"
    guard try scope.check(H5Aexists(object.raw, attribute), action) > 0 else { return nil }
    let handle = try scope.identifier(H5Aopen(object.raw, attribute, chdf5_default()), action)
    let type = try scope.identifier(H5Aget_type(handle.raw), action)
    let space = try scope.identifier(H5Aget_space(handle.raw), action)
    let qualified = "\(path)@\(attribute)"
    let (extents, count) = try scope.shape(of: space, path: qualified)
    guard extents.count <= 1, count <= HDF5File.attributeLimit else {
      throw .wrongKind(
        file: name, object: qualified, found: "an array of extents \(extents)",
        expected: "one value or a list")
    }
    let isScalar = extents.isEmpty
    if H5Tget_class(type.raw) == H5T_STRING {
      let values = try strings(type: type, space: space, count: count, action: action) {
        H5Aread(handle.raw, type.raw, $0)
      }
      return isScalar ? .string(values[0]) : .strings(values)
    }
    guard let scalarType = HDF5ScalarType(describing: type.raw) else {
      throw .unsupportedType(file: name, object: qualified, found: typeName(of: type))
    }
    switch (scalarType.kind, scalarType.isSigned || scalarType.byteCount < 8) {
    case (.float, _):
      let values = try numbers(handle, .float64, repeating: 0 as Double, count, action)
      return isScalar ? .double(values[0]) : .doubles(values)
    case (.integer, true):
      let values = try numbers(handle, .int64, repeating: 0 as Int64, count, action)
      return isScalar ? .integer(values[0]) : .integers(values)
    case (.integer, false):
      let values = try numbers(handle, .uint64, repeating: 0 as UInt64, count, action)
      if isScalar { return .unsigned(values[0]) }
      guard values.allSatisfy({ $0 <= UInt64(Int64.max) }) else {
        throw .unsupportedType(
          file: name, object: qualified, found: "a list of integers above \(Int64.max)")
      }
      return .integers(values.map { Int64($0) })
    }
  }

  /// Reads a dataset of strings.
  ///
  /// - Parameter path: The dataset's path.
  /// - Returns: The strings; nil unless the path leads to a dataset of strings with one axis and no more
  ///   than 2²⁰ elements.
  /// - Throws: ``HDF5Error`` if it cannot be read.
  public func strings(of path: String) throws(HDF5Error) -> [String]? {
    Library.enter()
    defer { Library.leave() }
    guard try kind(of: path) == .dataset else { return nil }
    let dataset = try dataset(path)
    let action = "read '\(path)'"
    let type = try scope.identifier(H5Dget_type(dataset.raw), action)
    guard H5Tget_class(type.raw) == H5T_STRING, dataset.info.shape.count == 1,
      dataset.info.count <= HDF5File.attributeLimit
    else { return nil }
    let space = try scope.identifier(H5Dget_space(dataset.raw), action)
    return try strings(type: type, space: space, count: dataset.info.count, action: action) {
      H5Dread(
        dataset.raw, type.raw, chdf5_space_all(), chdf5_space_all(), chdf5_default(), $0)
    }
  }

  /// Lists the attributes of an object.
  ///
  /// - Parameter path: The object's path; `/` for the file's own attributes.
  /// - Returns: Their names, in the order of their UTF-8 bytes.
  /// - Throws: ``HDF5Error/missing(file:object:)`` if there is no such object.
  public func attributeNames(of path: String) throws(HDF5Error) -> [String] {
    Library.enter()
    defer { Library.leave() }
    let object = try openObject(path)
    var names: [String] = []
    let status = withUnsafeMutablePointer(to: &names) { names in
      H5Aiterate2(
        object.raw, H5_INDEX_NAME, H5_ITER_INC, nil,
        { _, name, _, client in
          guard let name, let names = client?.assumingMemoryBound(to: [String].self) else {
            return -1
          }
          names.pointee.append(String(cString: name))
          return 0
        }, names)
    }
    try scope.check(status, "list the attributes of '\(path)'")
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Attaches a value to an object, replacing an attribute of that name.
  ///
  /// Strings are written with a fixed length, UTF-8, so that equal values make equal bytes.
  ///
  /// - Parameters:
  ///   - attribute: The attribute's name.
  ///   - path: The object's path; `/` for the file itself.
  ///   - value: The value, of at most 64 KiB, libhdf5's limit.
  /// - Throws: ``HDF5Error`` if the object is missing or libhdf5 refuses.
  public func setAttribute(
    _ attribute: String, of path: String, to value: HDF5Attribute
  ) throws(HDF5Error) {
    switch value {
    case .string(let text): try write([text], attribute, path, isScalar: true)
    case .strings(let texts): try write(texts, attribute, path, isScalar: false)
    case .integer(let number): try write([number], .int64, attribute, path, isScalar: true)
    case .integers(let numbers): try write(numbers, .int64, attribute, path, isScalar: false)
    case .unsigned(let number): try write([number], .uint64, attribute, path, isScalar: true)
    case .double(let number): try write([number], .float64, attribute, path, isScalar: true)
    case .doubles(let numbers): try write(numbers, .float64, attribute, path, isScalar: false)
    }
  }
}

extension HDF5File {
  private func numbers<Number: BitwiseCopyable>(
    _ handle: borrowing Identifier, _ type: HDF5ScalarType, repeating zero: Number, _ count: Int,
    _ action: String
  ) throws(HDF5Error) -> [Number] {
    let memoryType = try type.makeIdentifier(scope)
    var values = [Number](repeating: zero, count: count)
    guard count > 0 else { return values }
    let status = H5Aread(handle.raw, memoryType.raw, &values)
    try scope.check(status, action)
    return values
  }

  /// Reads strings of fixed or varying length through `read`, which fills memory in the file's own type.
  private func strings(
    type: borrowing Identifier, space: borrowing Identifier, count: Int, action: String,
    read: (UnsafeMutableRawPointer) -> herr_t
  ) throws(HDF5Error) -> [String] {
    guard count > 0 else { return [] }
    if try scope.check(H5Tis_variable_str(type.raw), action) > 0 {
      var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
      try scope.check(read(&pointers), action)
      defer { chdf5_free_strings(type.raw, space.raw, &pointers) }
      return pointers.map { $0.map { String(cString: $0) } ?? "" }
    }
    let length = H5Tget_size(type.raw)
    guard length > 0, length <= HDF5File.attributeLimit / count else {
      throw .unsupportedType(
        file: name, object: action, found: "\(count) strings of \(length) bytes")
    }
    var bytes = [UInt8](repeating: 0, count: length * count)
    try scope.check(read(&bytes), action)
    let isSpacePadded = H5Tget_strpad(type.raw) == H5T_STR_SPACEPAD
    return (0..<count).map { index in
      var text = bytes[index * length..<(index + 1) * length].prefix { $0 != 0 }
      while isSpacePadded, text.last == UInt8(ascii: " ") { text.removeLast() }
      return String(decoding: text, as: UTF8.self)
    }
  }

  private func write<Number: BitwiseCopyable>(
    _ values: [Number], _ type: HDF5ScalarType, _ attribute: String, _ path: String, isScalar: Bool
  ) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    let fileType = try type.makeIdentifier(scope)
    let bytes = values.withUnsafeBytes { Array($0) }
    try write(bytes, type: fileType, attribute, path, count: isScalar ? nil : values.count)
  }

  private func write(
    _ texts: [String], _ attribute: String, _ path: String, isScalar: Bool
  ) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    // Terminated strings: h5dump shows the padding of others as zeros.
    let length = (texts.map(\.utf8.count).max() ?? 0) + 1
    let action = "write attribute '\(attribute)' of '\(path)'"
    let type = try scope.identifier(H5Tcopy(chdf5_c_string()), action)
    try scope.check(H5Tset_size(type.raw, length), action)
    try scope.check(H5Tset_cset(type.raw, H5T_CSET_UTF8), action)
    try scope.check(H5Tset_strpad(type.raw, H5T_STR_NULLTERM), action)
    var bytes: [UInt8] = []
    for text in texts {
      bytes += Array(text.utf8)
      bytes += [UInt8](repeating: 0, count: length - text.utf8.count)
    }
    try write(bytes, type: type, attribute, path, count: isScalar ? nil : texts.count)
  }

  private func write(
    _ bytes: [UInt8], type: borrowing Identifier, _ attribute: String, _ path: String, count: Int?
  ) throws(HDF5Error) {
    let action = "write attribute '\(attribute)' of '\(path)'"
    let object = try openObject(path)
    if try scope.check(H5Aexists(object.raw, attribute), action) > 0 {
      try scope.check(H5Adelete(object.raw, attribute), action)
    }
    let space = try scope.makeSpace(count.map { [$0] } ?? [], action: action)
    let handle = try scope.identifier(
      H5Acreate2(
        object.raw, attribute, type.raw, space.raw, chdf5_default(), chdf5_default()),
      action)
    guard !bytes.isEmpty else { return }
    try scope.check(H5Awrite(handle.raw, type.raw, bytes), action)
  }
}
