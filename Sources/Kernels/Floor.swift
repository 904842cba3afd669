// What a step cannot do without, timed bare: the yardstick of `nndist bench step`.

public import OneDNN
import Tensors

/// Times of the library's own matrix products and convolutions and of one pass of the optimiser.
public enum Floor {
  /// A matrix product `[rows, depth] · [depth, columns]` and how its operands are stored.
  public struct Product: Hashable, Sendable {
    /// Rows of the result.
    public let rows: Int
    /// Columns of the result.
    public let columns: Int
    /// Terms of each sum.
    public let depth: Int
    /// Whether the left operand is stored `[depth, rows]`.
    public let transposeLHS: Bool
    /// Whether the right operand is stored `[columns, depth]`.
    public let transposeRHS: Bool

    /// Names a product, of extents 1 or more.
    public init(rows: Int, columns: Int, depth: Int, transposeLHS: Bool, transposeRHS: Bool) {
      self.rows = rows
      self.columns = columns
      self.depth = depth
      self.transposeLHS = transposeLHS
      self.transposeRHS = transposeRHS
    }
  }

  /// What one product takes, by each of the two calls of oneDNN.
  public struct Times: Hashable, Sendable {
    /// By the matmul primitive without bias or activation.
    public let primitive: Duration
    /// By sgemm.
    public let sgemm: Duration
    /// The lesser of the two.
    public var least: Duration { min(primitive, sgemm) }
  }

  /// Times one product both ways, taking turns.
  ///
  /// - Parameters:
  ///   - product: The product.
  ///   - repeats: The number of samples of each way; the median counts.
  /// - Returns: The time of one call.
  /// - Throws: ``OneDNNError`` if the library refuses the shape.
  public static func measure(_ product: Product, repeats: Int = 21) throws(OneDNNError) -> Times {
    OneDNN.prepareThread()
    let (m, n, k) = (product.rows, product.columns, product.depth)
    let primitive = try MatmulPrimitive(
      rows: m, columns: n, depth: k, transposeLHS: product.transposeLHS,
      transposeRHS: product.transposeRHS, bias: false, activation: .none)
    let a = FloatBuffer(count: m * k)
    let b = FloatBuffer(count: k * n)
    let c = FloatBuffer(count: m * n)
    for i in 0..<a.count { a.pointer[i] = Float(i % 127) / 127 - 0.5 }
    for i in 0..<b.count { b.pointer[i] = Float(i % 113) / 113 - 0.5 }
    let flops = Double(2 * m * n * k)
    return withExtendedLifetime((a, b, c)) {
      let medians = medians(
        repeats: repeats, guess: flops / 100e9 + 2e-7,
        { primitive.run(lhs: a.pointer, rhs: b.pointer, bias: nil, into: c.pointer) },
        {
          sgemm(
            rows: m, columns: n, depth: k, transposeLHS: product.transposeLHS,
            transposeRHS: product.transposeRHS, lhs: a.pointer, rhs: b.pointer, into: c.pointer)
        })
      return Times(primitive: medians.0, sgemm: medians.1)
    }
  }

  /// Times one pass of SGD with momentum over vectors of `count` elements.
  ///
  /// - Parameters:
  ///   - count: The number of parameters.
  ///   - repeats: The number of samples; the median counts.
  /// - Returns: The time of one pass.
  public static func measureMomentum(count: Int, repeats: Int = 21) -> Duration {
    let p = FloatBuffer(count: count)
    let g = FloatBuffer(count: count)
    let v = FloatBuffer(count: count)
    for i in 0..<count { g.pointer[i] = Float(i % 127) / 127 - 0.5 }
    return withExtendedLifetime((p, g, v)) {
      let pass = {
        Update.sgd(
          parameters: p.pointer, gradient: g.pointer, momentum: v.pointer, count: count,
          learningRate: 1e-3, momentumFactor: 0.9, nesterov: false, weightDecay: 0,
          gradientScale: 1)
      }
      return medians(repeats: repeats, guess: Double(count) * 3e-10 + 1e-8, pass, {}).0
    }
  }

  /// The medians of two bodies that take turns, each sample long enough for the clock.
  private static func medians(
    repeats: Int, guess seconds: Double, _ first: () -> Void, _ second: () -> Void
  ) -> (Duration, Duration) {
    let clock = ContinuousClock()
    let calls = max(1, Int(20e-6 / seconds))
    var (firsts, seconds): ([Duration], [Duration]) = ([], [])
    first()
    second()
    for _ in 0..<max(repeats, 1) {
      firsts.append(clock.measure { for _ in 0..<calls { first() } } / calls)
      seconds.append(clock.measure { for _ in 0..<calls { second() } } / calls)
    }
    firsts.sort()
    seconds.sort()
    return (firsts[firsts.count / 2], seconds[seconds.count / 2])
  }
}
