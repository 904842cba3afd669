// The number types that a file may hold, and their descriptions in libhdf5's terms.

import CHDF5

/// An integer or IEEE float of up to 64 bits, in either byte order.
public struct HDF5ScalarType: Hashable, Sendable {
  /// The kind of number.
  public enum Kind: Hashable, Sendable {
    /// Two's complement or unsigned.
    case integer
    /// IEEE 754 binary16, binary32 or binary64.
    case float
  }

  /// The kind of number: integer or float.
  public let kind: Kind
  /// Indicates whether the type has negative numbers, as floats do.
  public let isSigned: Bool
  /// The bytes of one element in the file: 1 to 8 for integers; 2, 4 or 8 for floats.
  public let byteCount: Int
  /// Indicates whether the most significant byte comes first; false for single bytes.
  public let isBigEndian: Bool

  private init(_ kind: Kind, isSigned: Bool, byteCount: Int, isBigEndian: Bool = false) {
    self.kind = kind
    self.isSigned = isSigned
    self.byteCount = byteCount
    self.isBigEndian = isBigEndian && byteCount > 1
  }

  /// Returns the type of integers of 1 to 8 bytes.
  public static func integer(byteCount: Int, isSigned: Bool) -> HDF5ScalarType {
    precondition((1...8).contains(byteCount), "integer of \(byteCount) bytes")
    return HDF5ScalarType(.integer, isSigned: isSigned, byteCount: byteCount)
  }

  /// Unsigned, 8 bits.
  public static let uint8 = integer(byteCount: 1, isSigned: false)
  /// Unsigned, 16 bits.
  public static let uint16 = integer(byteCount: 2, isSigned: false)
  /// Unsigned, 32 bits.
  public static let uint32 = integer(byteCount: 4, isSigned: false)
  /// Unsigned, 64 bits.
  public static let uint64 = integer(byteCount: 8, isSigned: false)
  /// Signed, 8 bits.
  public static let int8 = integer(byteCount: 1, isSigned: true)
  /// Signed, 16 bits.
  public static let int16 = integer(byteCount: 2, isSigned: true)
  /// Signed, 32 bits.
  public static let int32 = integer(byteCount: 4, isSigned: true)
  /// Signed, 64 bits.
  public static let int64 = integer(byteCount: 8, isSigned: true)
  /// IEEE 754 binary16.
  public static let float16 = HDF5ScalarType(.float, isSigned: true, byteCount: 2)
  /// IEEE 754 binary32, Swift's `Float`.
  public static let float32 = HDF5ScalarType(.float, isSigned: true, byteCount: 4)
  /// IEEE 754 binary64, Swift's `Double`.
  public static let float64 = HDF5ScalarType(.float, isSigned: true, byteCount: 8)

  /// The same type with the most significant byte first.
  public var bigEndian: HDF5ScalarType {
    HDF5ScalarType(kind, isSigned: isSigned, byteCount: byteCount, isBigEndian: true)
  }
  /// The same type with the least significant byte first.
  public var littleEndian: HDF5ScalarType {
    HDF5ScalarType(kind, isSigned: isSigned, byteCount: byteCount)
  }

  /// The smallest type of this machine that holds every value: little-endian, 1, 2, 4 or 8 bytes,
  /// and `float32` for `float16`.
  public var machineType: HDF5ScalarType {
    switch kind {
    case .float: byteCount == 8 ? .float64 : .float32
    case .integer:
      .integer(
        byteCount: byteCount == 1 ? 1 : byteCount == 2 ? 2 : byteCount <= 4 ? 4 : 8,
        isSigned: isSigned)
    }
  }
}

extension HDF5ScalarType: CustomStringConvertible {
  /// A letter and the bits, such as `u8`, `i64` or `f32 big-endian`.
  public var description: String {
    let letter = kind == .float ? "f" : isSigned ? "i" : "u"
    return "\(letter)\(8 * byteCount)\(isBigEndian ? " big-endian" : "")"
  }
}

extension HDF5ScalarType {
  /// Describes a type of libhdf5; nil for one that this type cannot represent.
  init?(describing type: hid_t) {
    let byteCount = H5Tget_size(type)
    guard (1...8).contains(byteCount) else { return nil }
    let order = H5Tget_order(type)
    guard order == H5T_ORDER_LE || order == H5T_ORDER_BE || byteCount == 1 else { return nil }
    let isBigEndian = order == H5T_ORDER_BE
    switch H5Tget_class(type) {
    case H5T_INTEGER:
      self.init(
        .integer, isSigned: H5Tget_sign(type) == H5T_SGN_2, byteCount: byteCount,
        isBigEndian: isBigEndian)
    case H5T_FLOAT:
      guard let ieee = IEEEFields(byteCount: byteCount), ieee == IEEEFields(reading: type) else {
        return nil
      }
      self.init(.float, isSigned: true, byteCount: byteCount, isBigEndian: isBigEndian)
    default: return nil
    }
  }

  /// Makes libhdf5's description of the type.
  func makeIdentifier(_ scope: Scope) throws(HDF5Error) -> Identifier {
    let base: hid_t
    switch (kind, byteCount) {
    case (.float, 8): base = chdf5_f64le()
    case (.float, _): base = chdf5_f32le()
    case (.integer, _): base = isSigned ? chdf5_i8le() : chdf5_u8le()
    }
    let type = try scope.identifier(H5Tcopy(base), "describe a type")
    if kind == .float, let ieee = IEEEFields(byteCount: byteCount), byteCount == 2 {
      // Set the fields before the size: libhdf5 refuses a size that cuts off a field.
      try scope.check(
        H5Tset_fields(
          type.raw, ieee.sign, ieee.exponent, ieee.exponentBits, ieee.mantissa, ieee.mantissaBits),
        "describe a type")
      try scope.check(H5Tset_precision(type.raw, 16), "describe a type")
      try scope.check(H5Tset_size(type.raw, 2), "describe a type")
      try scope.check(H5Tset_ebias(type.raw, ieee.bias), "describe a type")
    }
    if kind == .integer {
      try scope.check(H5Tset_size(type.raw, byteCount), "describe a type")
      try scope.check(H5Tset_precision(type.raw, 8 * byteCount), "describe a type")
    }
    if isBigEndian {
      try scope.check(H5Tset_order(type.raw, H5T_ORDER_BE), "describe a type")
    }
    return type
  }
}

/// The positions of the parts of a float, in bits from the least significant one.
private struct IEEEFields: Equatable {
  var sign: Int
  var exponent: Int
  var exponentBits: Int
  var mantissa = 0
  var mantissaBits: Int
  var bias: Int

  /// The fields of IEEE 754's binary interchange formats.
  init?(byteCount: Int) {
    switch byteCount {
    case 2: (exponentBits, mantissaBits, bias) = (5, 10, 15)
    case 4: (exponentBits, mantissaBits, bias) = (8, 23, 127)
    case 8: (exponentBits, mantissaBits, bias) = (11, 52, 1023)
    default: return nil
    }
    sign = 8 * byteCount - 1
    exponent = mantissaBits
  }

  /// The fields of a type of libhdf5; nil if they cannot be read or the format is not like IEEE 754.
  init?(reading type: hid_t) {
    (sign, exponent, exponentBits, mantissaBits) = (0, 0, 0, 0)
    guard
      H5Tget_fields(type, &sign, &exponent, &exponentBits, &mantissa, &mantissaBits) >= 0,
      H5Tget_norm(type) == H5T_NORM_IMPLIED, H5Tget_offset(type) == 0,
      H5Tget_precision(type) == 8 * H5Tget_size(type)
    else { return nil }
    bias = H5Tget_ebias(type)
  }
}
