import Tensors
import Testing

@Suite("Shape")
struct ShapeTests {
  @Test("counts elements; one for a single number, none with an empty axis")
  func count() {
    #expect(Shape([]).count == 1 && Shape([]).axisCount == 0)
    #expect(([3, 4] as Shape).count == 12)
    #expect(([3, 0, 4] as Shape).count == 0)
    #expect(([3, 4] as Shape)[1] == 4)
  }

  @Test("is printed as a list")
  func description() {
    #expect("\(Shape([64, 784]))" == "[64, 784]")
    #expect("\(Shape([]))" == "[]")
  }

  @Test("negative extents stop the program")
  func negative() async {
    await #expect(processExitsWith: .failure) { _ = Shape([2, -1]) }
  }

  @Test("a tensor holds as many values as its shape says")
  func tensor() async {
    #expect(Tensor(shape: [2, 2], repeating: 3).values == [3, 3, 3, 3])
    #expect(Tensor(5) == Tensor(shape: [], values: [5]))
    await #expect(processExitsWith: .failure) { _ = Tensor(shape: [2], values: [1]) }
  }
}

@Suite("Closeness")
struct ClosenessTests {
  private static let numbers: [Double] = [
    0, -0.0, 1, -1, 1 + 1e-9, 1 + 1e-7, 1e-9, 1e-300, 1e300, -1e300, 1e300 * (1 + 1e-9),
    .greatestFiniteMagnitude, .infinity, -.infinity, .nan,
  ]

  @Test("is symmetric, and every number but NaN is close to itself")
  func symmetry() {
    for a in ClosenessTests.numbers {
      #expect(isClose(a, a) == !a.isNaN)
      for b in ClosenessTests.numbers {
        #expect(isClose(a, b) == isClose(b, a), "\(a) \(b)")
        #expect(isClose(a, b) == isClose(-a, -b), "\(a) \(b)")
      }
    }
  }

  @Test("is relative above the floor and absolute below it")
  func tolerance() {
    #expect(isClose(1e300, 1e300 * (1 + 1e-9)) && !isClose(1e300, 1e300 * (1 + 1e-7)))
    #expect(isClose(1e-9, 0) && !isClose(1e-7, 0))
    #expect(!isClose(1e-9, 2e-9, floor: 0) && isClose(1, 1.05, tolerance: 0.1))
  }

  @Test("keeps infinities apart from numbers and from each other")
  func infinities() {
    #expect(isClose(.infinity, .infinity))
    #expect(!isClose(.infinity, -.infinity) && !isClose(.infinity, 1e308))
    #expect(!isClose(.greatestFiniteMagnitude, -.greatestFiniteMagnitude))
    #expect(!isClose(.nan, 1) && !isClose(.nan, .nan))
  }
}
