import Kernels
import Testing

@Suite("Numbers sent as bfloat16")
struct BFloat16EncodingTests {
  /// The number rounded to the nearest of eight bits of precision, ties to even, by its definition.
  private func rounded(_ value: Float) -> Float {
    let below = Float(bitPattern: value.bitPattern & 0xFFFF_0000)
    let above = Float(bitPattern: (value.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
    let (down, up) = (abs(Double(value) - Double(below)), abs(Double(above) - Double(value)))
    if down != up { return down < up ? below : above }
    return below.bitPattern >> 16 & 1 == 0 ? below : above
  }

  private func encode(_ values: [Float], _ residual: Vector) -> [UInt16] {
    let source = Vector(values)
    var target = [UInt16](repeating: 0xABCD, count: values.count + 1)
    target.withUnsafeMutableBufferPointer { target in
      guard let target = target.baseAddress else { return }
      BFloat16.encode(
        source.pointer, residual: residual.pointer, into: target, count: values.count)
    }
    #expect(target.last == 0xABCD && residual.isIntact)
    return target.dropLast()
  }

  private func decode(_ halves: [UInt16]) -> [Float] {
    let found = Vector(count: halves.count)
    halves.withUnsafeBufferPointer { halves in
      guard let halves = halves.baseAddress else { return }
      BFloat16.decode(halves, into: found.pointer, count: found.count)
    }
    #expect(found.isIntact)
    return found.values
  }

  @Test("are the nearest, ties to even, and what is lost is kept", arguments: [16, 32, 112])
  func nearest(count: Int) {
    var values = numbers(count)
    let ties: [UInt32] = [
      0x3F80_8000, 0x3F81_8000, 0xBF80_8000, 0x3F80_8001, 0x3F80_7FFF, 0x8000_0000,
    ]
    for (i, bits) in ties.enumerated() { values[i] = Float(bitPattern: bits) }
    let residual = Vector(count: count)
    let sent = decode(encode(values, residual))
    for i in 0..<count {
      #expect(sent[i] == rounded(values[i]), "\(values[i])")
      #expect(sent[i] + residual.pointer[i] == values[i], "\(values[i])")
    }
  }

  @Test("are widened exactly, all 65,536 of them")
  func exact() {
    let halves = Array(UInt16.min...UInt16.max)
    #expect(
      decode(halves).map(\.bitPattern) == halves.map { UInt32($0) << 16 })
  }

  @Test("add up to what was to be sent, whatever is lost each time")
  func feedback() {
    let values = numbers(32)
    let residual = Vector(count: 32)
    var sums = [Double](repeating: 0, count: 32)
    for time in 1...50 {
      for (i, value) in decode(encode(values, residual)).enumerated() { sums[i] += Double(value) }
      for i in 0..<32 {
        let error = Double(values[i]) * Double(time) - sums[i]
        // No more is owed than the rounding of one number, and that is what is kept.
        #expect(abs(error) < 0.01 && abs(error - Double(residual.pointer[i])) < 1e-5)
      }
    }
  }
}
