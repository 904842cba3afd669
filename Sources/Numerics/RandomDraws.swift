// Random numbers that belong to elements: what initial values and noise are made of.

/// The random numbers of one stream: a pure function from the index of an element to its number.
///
/// The counter of Philox is (element, position, step, stream). An element from 2³² on moves its high
/// half into the stream, as `stream + high · 0x9E3779B9` (wrapping), so elements below 2³² are what
/// the contract says and no two elements of one stream ever share a counter.
public struct RandomDraws: Sendable, Hashable {
  private let philox: Philox
  private let position: UInt32
  private let step: UInt32
  private let stream: UInt32

  /// Names a stream.
  ///
  /// - Parameters:
  ///   - seed: The seed of the run.
  ///   - stream: The number of the stream, from ``randomStream(_:_:)``.
  ///   - step: The step or epoch, 0 for what happens once in a run.
  ///   - position: The number that tells draws of one step apart, such as a row's place in the batch.
  public init(seed: UInt64, stream: UInt32, step: UInt32 = 0, position: UInt32 = 0) {
    philox = Philox(seed: seed)
    self.stream = stream
    self.step = step
    self.position = position
  }

  /// The 128 bits of an element.
  ///
  /// - Parameter element: The index of the element, such as that inside a named parameter.
  /// - Returns: Four words, one call of Philox.
  public func bits(at element: Int) -> SIMD4<UInt32> {
    let element = UInt64(element)
    let high = UInt32(truncatingIfNeeded: element >> 32)
    return philox.bits(
      UInt32(truncatingIfNeeded: element), position, step, stream &+ high &* 0x9E37_79B9)
  }

  /// A number uniform in [0, 1): the upper 24 bits of the first word of the element, over 2²⁴.
  public func uniform(at element: Int) -> Float {
    Float(bits(at: element)[0] >> 8) * 0x1p-24
  }

  /// A number uniform between two bounds: `lower + (upper − lower) · uniform(at:)`, in `Float`.
  ///
  /// Rounding may give `upper` itself.
  public func uniform(at element: Int, from lower: Float, to upper: Float) -> Float {
    lower + (upper - lower) * uniform(at: element)
  }

  /// A number from the normal distribution of mean 0 and variance 1, at most 6.8 in magnitude.
  ///
  /// Box–Muller in `Double`, rounded once: `√(−2·log u) · cos(2π·v)` with `u` = (first word + ½) / 2³²
  /// and `v` = second word / 2³².
  /// Source: Box and Muller (1958), https://doi.org/10.1214/aoms/1177706645.
  public func normal(at element: Int) -> Float {
    let bits = bits(at: element)
    let u = (Double(bits[0]) + 0.5) * 0x1p-32
    let v = Double(bits[1]) * 0x1p-32
    return Float((-2 * Elementary.log(u)).squareRoot() * Elementary.cosine(turns: v))
  }
}
