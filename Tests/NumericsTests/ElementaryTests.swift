import Foundation
import Numerics
import Testing

@Suite("Elementary functions of Float")
struct ElementaryTests {
  @Test(
    "stay within their bounds over all floats",
    arguments: [
      Case("exp", 1, { Elementary.exp($0) }, { Foundation.exp($0) }),
      Case("log", 1, { Elementary.log($0) }, { Foundation.log($0) }),
      Case("tanh", 1.6, { Elementary.tanh($0) }, { Foundation.tanh($0) }),
      Case("erf", 1.5, { Elementary.erf($0) }, { Foundation.erf($0) }),
      Case("expm1", 1.5, { Elementary.expm1($0) }, { Foundation.expm1($0) }),
      Case("log1p", 1.5, { Elementary.log1p($0) }, { Foundation.log1p($0) }),
      Case(
        "softplus", 2.1, { Elementary.softplus($0) },
        { max($0, 0) + Foundation.log1p(Foundation.exp(-$0.magnitude)) }),
      Case("sigmoid", 2, { Elementary.sigmoid($0) }, { 1 / (1 + Foundation.exp(-$0)) }),
    ])
  func bounds(of function: Case) {
    var worst = (error: 0.0, at: Float(0))
    // A prime stride visits every exponent with other fractions each time; all floats take minutes.
    for bits in stride(from: 0, to: 1 << 32, by: isDebug ? 65_537 : 1_009) {
      let x = Float(bitPattern: UInt32(bits))
      let error = ulps(function.ours(x), function.exact(Double(x)))
      if error > worst.error { worst = (error, x) }
    }
    #expect(worst.error <= function.bound, "\(worst.error) ulp at \(worst.at)")
  }

  @Test("send infinities, zeros, denormals and NaN where they belong")
  func limits() {
    let (infinity, tiny) = (Float.infinity, Float.leastNonzeroMagnitude)
    #expect(Elementary.exp(infinity) == infinity && Elementary.exp(-infinity) == 0)
    #expect(Elementary.exp(Float(88.72283)).isFinite && Elementary.exp(Float(88.7229)) == infinity)
    #expect(Elementary.exp(Float(-103.9)) == tiny && Elementary.exp(Float(-104)) == 0)
    #expect(Elementary.exp(tiny) == 1 && Elementary.exp(Float(0)) == 1)
    #expect(Elementary.log(Float(0)) == -infinity && Elementary.log(Float(-0.0)) == -infinity)
    #expect(Elementary.log(infinity) == infinity && Elementary.log(Float(1)) == 0)
    #expect(Elementary.log(-tiny).isNaN && Elementary.log(-infinity).isNaN)
    #expect(Elementary.tanh(infinity) == 1 && Elementary.tanh(-infinity) == -1)
    #expect(Elementary.tanh(tiny) == tiny && Elementary.tanh(Float(-0.0)).sign == .minus)
    #expect(Elementary.erf(infinity) == 1 && Elementary.erf(-infinity) == -1)
    #expect(Elementary.erf(tiny) == tiny && Elementary.erf(Float(-0.0)).sign == .minus)
    #expect(Elementary.sigmoid(infinity) == 1 && Elementary.sigmoid(-infinity) == 0)
    #expect(Elementary.sigmoid(Float(-100)) > 0 && Elementary.sigmoid(Float(0)) == 0.5)
    #expect(Elementary.expm1(infinity) == infinity && Elementary.expm1(-infinity) == -1)
    #expect(Elementary.expm1(tiny) == tiny && Elementary.expm1(-tiny) == -tiny)
    #expect(
      Elementary.expm1(Float(-0.0)).sign == .minus && Elementary.expm1(Float(0)).sign == .plus)
    #expect(Elementary.log1p(infinity) == infinity && Elementary.log1p(Float(-1)) == -infinity)
    #expect(Elementary.log1p(Float(-1).nextDown).isNaN && Elementary.log1p(-infinity).isNaN)
    #expect(Elementary.log1p(tiny) == tiny && Elementary.log1p(-tiny) == -tiny)
    #expect(
      Elementary.log1p(Float(-0.0)).sign == .minus && Elementary.log1p(Float(0)).sign == .plus)
    #expect(Elementary.softplus(infinity) == infinity && Elementary.softplus(-infinity) == 0)
    #expect(Elementary.softplus(Float.greatestFiniteMagnitude) == .greatestFiniteMagnitude)
    #expect(Elementary.softplus(Float(-103)) == tiny)
    let nan = Float.nan
    #expect(Elementary.expm1(nan).isNaN && Elementary.log1p(nan).isNaN)
    #expect(Elementary.softplus(nan).isNaN)
    #expect(Elementary.exp(nan).isNaN && Elementary.log(nan).isNaN)
    #expect(Elementary.erf(nan).isNaN)
    #expect(Elementary.tanh(nan).isNaN && Elementary.sigmoid(nan).isNaN)
  }

  /// A function, its bound in ulp and what it should be.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let bound: Double
    let ours: @Sendable (Float) -> Float
    let exact: @Sendable (Double) -> Double
    var testDescription: String { name }

    init(
      _ name: String, _ bound: Double, _ ours: @escaping @Sendable (Float) -> Float,
      _ exact: @escaping @Sendable (Double) -> Double
    ) {
      (self.name, self.bound, self.ours, self.exact) = (name, bound, ours, exact)
    }
  }

  /// The distance of a result from the exact one in units in the last place of the exact one.
  private func ulps(_ result: Float, _ exact: Double) -> Double {
    if exact.isNaN || result.isNaN { return exact.isNaN && result.isNaN ? 0 : .infinity }
    let nearest = Float(exact)
    if nearest.isInfinite || result.isInfinite { return nearest == result ? 0 : .infinity }
    let exponent = max(exact == 0 ? -149 : Int(exact.exponent) - 23, -149)
    return abs(Double(result) - exact) * Double(sign: .plus, exponent: -exponent, significand: 1)
  }
}

/// True in builds without optimisation, in which dense tests would take minutes.
let isDebug: Bool = {
  #if DEBUG
    true
  #else
    false
  #endif
}()
