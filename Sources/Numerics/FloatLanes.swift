// What a formula may do so that one source serves a single number and a vector of them: both take
// the same steps in the same order, so a lane gets the bits that the single number gets.

/// One `Float` or several side by side, on which an operation acts lane by lane.
///
/// Only operations that IEEE 754 rounds exactly one way are here, and Swift does not contract a
/// product and a sum into one rounding: a formula over lanes gives the same bits on every machine.
public protocol FloatLanes {
  /// The bit patterns of the lanes.
  associatedtype Bits: BitLanes

  /// All lanes equal to `value`.
  init(lanes value: Float)
  /// The lanes with these bit patterns.
  init(bits: Bits)
  /// The bit pattern of each lane.
  var bits: Bits { get }

  /// The sum of each lane.
  static func + (a: Self, b: Self) -> Self
  /// The difference of each lane.
  static func - (a: Self, b: Self) -> Self
  /// The product of each lane.
  static func * (a: Self, b: Self) -> Self
  /// The quotient of each lane.
  static func / (a: Self, b: Self) -> Self

  /// `yes` in the lanes where `x < y`, `no` elsewhere, also where either is not a number.
  static func choose(_ yes: Self, where x: Self, isBelow y: Self, else no: Self) -> Self
}

/// The bit patterns of ``FloatLanes``, as signed 32-bit integers that wrap round.
public protocol BitLanes {
  /// Each lane plus `other`.
  func adding(_ other: Int32) -> Self
  /// Each lane plus that of `other`.
  func adding(_ other: Self) -> Self
  /// Each lane minus that of `other`.
  func subtracting(_ other: Self) -> Self
  /// The bits set both in a lane and in `mask`.
  func masked(_ mask: Int32) -> Self
  /// The bits set both in a lane and in that of `mask`.
  func masked(_ mask: Self) -> Self
  /// The bits set in a lane, in that of `other`, or in both.
  func combined(_ other: Self) -> Self
  /// Each lane shifted to the left.
  func shiftedLeft(_ count: Int32) -> Self
  /// Each lane shifted to the right, its sign copied in.
  func shiftedRight(_ count: Int32) -> Self
}

extension Float: FloatLanes {
  /// The number itself.
  @inlinable @inline(__always)
  public init(lanes value: Float) { self = value }
  /// The number with this bit pattern.
  @inlinable @inline(__always)
  public init(bits: Int32) { self = Float(bitPattern: UInt32(bitPattern: bits)) }
  /// Its bit pattern.
  @inlinable @inline(__always)
  public var bits: Int32 { Int32(bitPattern: bitPattern) }
  /// `yes` where `x < y`, else `no`.
  @inlinable @inline(__always)
  public static func choose(
    _ yes: Float, where x: Float, isBelow y: Float, else no: Float
  ) -> Float { x < y ? yes : no }
}

extension Int32: BitLanes {
  /// The sum, wrapping round.
  @inlinable @inline(__always)
  public func adding(_ other: Int32) -> Int32 { self &+ other }
  /// The difference, wrapping round.
  @inlinable @inline(__always)
  public func subtracting(_ other: Int32) -> Int32 { self &- other }
  /// The bits also set in `mask`.
  @inlinable @inline(__always)
  public func masked(_ mask: Int32) -> Int32 { self & mask }
  /// The bits set in either.
  @inlinable @inline(__always)
  public func combined(_ other: Int32) -> Int32 { self | other }
  /// The bits moved to the left.
  @inlinable @inline(__always)
  public func shiftedLeft(_ count: Int32) -> Int32 { self &<< count }
  /// The bits moved to the right, the sign copied in.
  @inlinable @inline(__always)
  public func shiftedRight(_ count: Int32) -> Int32 { self &>> count }
}

extension SIMD16: FloatLanes where Scalar == Float {
  /// Sixteen times `value`.
  @inlinable @inline(__always)
  public init(lanes value: Float) { self.init(repeating: value) }
  /// The lanes with these bit patterns.
  @inlinable @inline(__always)
  public init(bits: SIMD16<Int32>) { self = unsafeBitCast(bits, to: SIMD16<Float>.self) }
  /// The bit pattern of each lane.
  @inlinable @inline(__always)
  public var bits: SIMD16<Int32> { unsafeBitCast(self, to: SIMD16<Int32>.self) }
  /// `yes` in the lanes where `x < y`, `no` elsewhere.
  @inlinable @inline(__always)
  public static func choose(
    _ yes: SIMD16<Float>, where x: SIMD16<Float>, isBelow y: SIMD16<Float>, else no: SIMD16<Float>
  ) -> SIMD16<Float> { no.replacing(with: yes, where: x .< y) }
}

extension SIMD16: BitLanes where Scalar == Int32 {
  /// Each lane plus `other`, wrapping round.
  @inlinable @inline(__always)
  public func adding(_ other: Int32) -> SIMD16<Int32> { self &+ SIMD16(repeating: other) }
  /// The sum of each lane, wrapping round.
  @inlinable @inline(__always)
  public func adding(_ other: SIMD16<Int32>) -> SIMD16<Int32> { self &+ other }
  /// The difference of each lane, wrapping round.
  @inlinable @inline(__always)
  public func subtracting(_ other: SIMD16<Int32>) -> SIMD16<Int32> { self &- other }
  /// The bits of each lane also set in `mask`.
  @inlinable @inline(__always)
  public func masked(_ mask: Int32) -> SIMD16<Int32> { self & SIMD16(repeating: mask) }
  /// The bits of each lane also set in that of `mask`.
  @inlinable @inline(__always)
  public func masked(_ mask: SIMD16<Int32>) -> SIMD16<Int32> { self & mask }
  /// The bits of each lane set in either.
  @inlinable @inline(__always)
  public func combined(_ other: SIMD16<Int32>) -> SIMD16<Int32> { self | other }
  /// The bits of each lane moved to the left.
  @inlinable @inline(__always)
  public func shiftedLeft(_ count: Int32) -> SIMD16<Int32> { self &<< SIMD16(repeating: count) }
  /// The bits of each lane moved to the right, its sign copied in.
  @inlinable @inline(__always)
  public func shiftedRight(_ count: Int32) -> SIMD16<Int32> { self &>> SIMD16(repeating: count) }
}
