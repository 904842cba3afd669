import Numerics
import Testing

/// Expected values: Tests/Reference/numerics.py.
@Suite("Elementary functions of Double")
struct ElementaryDoubleTests {
  @Test("agree with numbers of many digits")
  func reference() {
    for (x, y) in exp { #expect(ulps(Elementary.exp(x), y) <= 1, "exp \(x)") }
    for (x, y) in log { #expect(ulps(Elementary.log(x), y) <= 1, "log \(x)") }
    for (x, y) in tanh { #expect(ulps(Elementary.tanh(x), y) <= 2.5, "tanh \(x)") }
    for (x, y) in sigmoid { #expect(ulps(Elementary.sigmoid(x), y) <= 2, "sigmoid \(x)") }
    for (x, y) in cosine { #expect(abs(Elementary.cosine(turns: x) - y) <= 1.ulp, "cosine \(x)") }
    for (x, y) in sine { #expect(abs(Elementary.sine(turns: x) - y) <= 1.ulp, "sine \(x)") }
  }

  @Test("send infinities and NaN where they belong")
  func limits() {
    let infinity = Double.infinity
    #expect(Elementary.exp(infinity) == infinity && Elementary.exp(-infinity) == 0)
    let tiny = Double.leastNonzeroMagnitude
    #expect(Elementary.exp(-745.0) == tiny && Elementary.log(tiny) == -744.4400719213812)
    #expect(Elementary.exp(710.0) == infinity && Elementary.exp(-746.0) == 0)
    #expect(Elementary.log(0.0) == -infinity && Elementary.log(infinity) == infinity)
    #expect(Elementary.log(-1.0).isNaN && Elementary.exp(Double.nan).isNaN)
    #expect(Elementary.tanh(-infinity) == -1 && Elementary.tanh(Double.nan).isNaN)
    #expect(Elementary.sigmoid(-infinity) == 0 && Elementary.sigmoid(infinity) == 1)
    #expect(Elementary.cosine(turns: infinity).isNaN)
  }

  private func ulps(_ a: Double, _ b: Double) -> Double { a == b ? 0 : abs(a - b) / b.ulp }

  private let exp = [
    (-30.5, 5.675685232632723e-14), (-2.0, 0.1353352832366127), (-0.75, 0.4723665527410147),
    (-0.5493, 0.5773538166334446), (-0.1, 0.9048374180359595), (-1e-09, 0.999999999), (0.0, 1.0),
    (1e-12, 1.000000000001), (0.25, 1.2840254166877414), (0.5, 1.6487212707001282),
    (0.55, 1.7332530178673953), (1.0, 2.718281828459045), (3.0, 20.085536923187668),
    (20.5, 799902177.4755054), (-700.25, 7.678723813110872e-305),
    (709.5, 1.3549863193146328e+308),
  ]
  private let log = [
    (1e-300, -690.7755278982137), (0.1, -2.3025850929940455), (0.7071, -0.346583180371942),
    (0.70711, -0.3465690382006941), (0.999999, -1.000000500029089e-06), (1.0, 0.0),
    (1.000001, 9.999994999180668e-07), (1.5, 0.4054651081081644), (1e+300, 690.7755278982137),
  ]
  private let tanh = [
    (-30.5, -1.0), (-2.0, -0.9640275800758169), (-0.75, -0.6351489523872873),
    (-0.5493, -0.49999539173530155), (-0.1, -0.09966799462495582), (-1e-09, -1e-09), (0.0, 0.0),
    (1e-12, 1e-12), (0.25, 0.24491866240370913), (0.5, 0.46211715726000974),
    (0.55, 0.5005202111902353), (1.0, 0.7615941559557649), (3.0, 0.9950547536867305),
    (20.5, 1.0),
  ]
  private let sigmoid = [
    (-30.5, 5.6756852326324e-14), (-2.0, 0.11920292202211756), (-0.75, 0.320821300824607),
    (-0.5493, 0.36602682958329175), (-0.1, 0.47502081252106), (-1e-09, 0.49999999975),
    (0.0, 0.5), (1e-12, 0.50000000000025), (0.25, 0.5621765008857981), (0.5, 0.6224593312018546),
    (0.55, 0.6341355910108007), (1.0, 0.7310585786300049), (3.0, 0.9525741268224333),
    (20.5, 0.9999999987498471), (-700.0, 9.85967654375977e-305),
  ]
  private let cosine = [
    (0.0, 1.0), (0.1, 0.8090169943749475), (0.125, 0.7071067811865476), (0.25, 0.0),
    (0.3, -0.30901699437494734), (0.4999, -0.9999998026079184), (0.5, -1.0),
    (0.7, -0.3090169943749477), (0.875, 0.7071067811865476), (0.99, 0.9980267284282716),
    (-0.2, 0.30901699437494734), (12345.678, -0.4371157666515908),
  ]
  private let sine = [
    (0.0, 0.0), (0.1, 0.5877852522924731), (0.125, 0.7071067811865476), (0.25, 1.0),
    (0.3, 0.9510565162951536), (0.4999, 0.000628318489376188), (0.5, 0.0),
    (0.7, -0.9510565162951535), (0.875, -0.7071067811865476), (0.99, -0.06279051952931343),
    (-0.2, -0.9510565162951536), (12345.678, -0.8994052515660513),
  ]
}
