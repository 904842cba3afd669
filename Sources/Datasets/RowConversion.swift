// The conversion of stored numbers to Float: the only code that decides the bits of a value.

internal import HDF5

/// The conversion of a row's stored elements to values: `value = scale · raw + bias`.
///
/// The arithmetic is that of `Float`: `Float(scale) * Float(raw) + Float(bias)`, rounded after each step and
/// never fused, so that the bits of a row do not depend on the way it is read. Without scale and bias a value
/// is `Float(raw)`.
struct RowConversion: Sendable {
  /// The type of raw elements in memory: 1, 2, 4 or 8 bytes, little-endian.
  let type: HDF5ScalarType
  /// The number of elements of a row.
  let elementCount: Int
  /// One factor and bias per channel, or one of each; the channel is the first axis of a sample.
  let scales: [Float]
  let biases: [Float]
  /// Indicates whether every scale is 1 and every bias 0.
  let isIdentity: Bool

  init(type: HDF5ScalarType, elementCount: Int, scales: [Float] = [1], biases: [Float] = [0]) {
    self.type = type.machineType
    self.elementCount = elementCount
    let channelCount = max(scales.count, biases.count)
    self.scales = scales.count == 1 ? Array(repeating: scales[0], count: channelCount) : scales
    self.biases = biases.count == 1 ? Array(repeating: biases[0], count: channelCount) : biases
    isIdentity = scales.allSatisfy { $0 == 1 } && biases.allSatisfy { $0 == 0 }
  }

  /// The size of a raw row in bytes.
  var rowByteCount: Int { elementCount * type.byteCount }

  /// Converts one row.
  ///
  /// - Complexity: O(elements), in vectorised loops without allocation.
  func convert(_ source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
    switch (type.kind, type.isSigned, type.byteCount) {
    case (.float, _, 4):
      let source = source.assumingMemoryBound(to: Float.self)
      if isIdentity { return target.update(from: source, count: elementCount) }
      convert(source, target) { $0 }
    case (.float, _, _): convert(source.assumingMemoryBound(to: Double.self), target) { Float($0) }
    case (_, false, 1): convert(source.assumingMemoryBound(to: UInt8.self), target) { Float($0) }
    case (_, false, 2): convert(source.assumingMemoryBound(to: UInt16.self), target) { Float($0) }
    case (_, false, 4): convert(source.assumingMemoryBound(to: UInt32.self), target) { Float($0) }
    case (_, false, _): convert(source.assumingMemoryBound(to: UInt64.self), target) { Float($0) }
    case (_, true, 1): convert(source.assumingMemoryBound(to: Int8.self), target) { Float($0) }
    case (_, true, 2): convert(source.assumingMemoryBound(to: Int16.self), target) { Float($0) }
    case (_, true, 4): convert(source.assumingMemoryBound(to: Int32.self), target) { Float($0) }
    case (_, true, _): convert(source.assumingMemoryBound(to: Int64.self), target) { Float($0) }
    }
  }

  @inline(__always)
  private func convert<Raw>(
    _ source: UnsafePointer<Raw>, _ target: UnsafeMutablePointer<Float>,
    _ float: (Raw) -> Float
  ) {
    if isIdentity {
      for i in 0..<elementCount { target[i] = float(source[i]) }
      return
    }
    let channelCount = scales.count
    let count = elementCount / channelCount
    for channel in 0..<channelCount {
      let (scale, bias) = (scales[channel], biases[channel])
      let (source, target) = (source + channel * count, target + channel * count)
      for i in 0..<count { target[i] = scale * float(source[i]) + bias }
    }
  }

  /// Returns the first raw element of a row for which `condition` holds, as `Double`.
  func firstRaw(
    _ source: UnsafeRawPointer, where condition: (Double) -> Bool
  ) -> Double? {
    func first<Raw>(_ type: Raw.Type, _ double: (Raw) -> Double) -> Double? {
      let source = source.assumingMemoryBound(to: type)
      for index in 0..<elementCount {
        let value = double(source[index])
        if condition(value) { return value }
      }
      return nil
    }
    return switch (type.kind, type.isSigned, type.byteCount) {
    case (.float, _, 4): first(Float.self) { Double($0) }
    case (.float, _, _): first(Double.self) { $0 }
    case (_, false, 1): first(UInt8.self) { Double($0) }
    case (_, false, 2): first(UInt16.self) { Double($0) }
    case (_, false, 4): first(UInt32.self) { Double($0) }
    case (_, false, _): first(UInt64.self) { Double($0) }
    case (_, true, 1): first(Int8.self) { Double($0) }
    case (_, true, 2): first(Int16.self) { Double($0) }
    case (_, true, 4): first(Int32.self) { Double($0) }
    case (_, true, _): first(Int64.self) { Double($0) }
    }
  }

  /// Returns the index of the first value that is NaN or infinite, or nil if all are finite.
  static func firstNotFinite(_ values: UnsafePointer<Float>, count: Int) -> Int? {
    // x · 0 is 0 for finite x and NaN otherwise; the sum tells without a branch per element.
    var sum: SIMD8<Float> = .zero
    var i = 0
    while i + 8 <= count {
      sum += UnsafeRawPointer(values + i).loadUnaligned(as: SIMD8<Float>.self) * 0
      i += 8
    }
    var isFinite = sum == .zero
    while i < count {
      isFinite = isFinite && values[i].isFinite
      i += 1
    }
    return isFinite ? nil : (0..<count).first { !values[$0].isFinite }
  }
}

/// A conversion of rows of `[height, width, channel]` to rows of `[channel, height, width]`.
struct ChannelsFirst: Sendable {
  let pixelCount: Int
  let channelCount: Int
  let elementByteCount: Int

  /// Rearranges one row; source and target must not overlap.
  ///
  /// - Complexity: O(elements).
  func rearrange(_ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer) {
    switch elementByteCount {
    case 1: rearrange(source, target, as: UInt8.self)
    case 2: rearrange(source, target, as: UInt16.self)
    case 4: rearrange(source, target, as: UInt32.self)
    default: rearrange(source, target, as: UInt64.self)
    }
  }

  @inline(__always)
  private func rearrange<Raw>(
    _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, as type: Raw.Type
  ) {
    let source = source.assumingMemoryBound(to: Raw.self)
    let target = target.assumingMemoryBound(to: Raw.self)
    for channel in 0..<channelCount {
      for pixel in 0..<pixelCount {
        target[channel * pixelCount + pixel] = source[pixel * channelCount + channel]
      }
    }
  }
}
