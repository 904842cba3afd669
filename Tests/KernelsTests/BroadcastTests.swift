import Kernels
import Tensors
import Testing

@Suite("Broadcasting")
struct BroadcastTests {
  static let shapes: [[[Int]]] = [
    [[], []], [[1], []], [[5], [1]], [[1, 1], [1]], [[17], [17]], [[4, 33], [33]],
    [[4, 9], [4, 1]],
    [[1, 9], [4, 1]], [[33], [4, 33]], [[3, 4, 5], [4, 1]], [[3, 1, 5], [4, 5]], [[40, 3], [3]],
    [[16, 15], [15]], [[2, 3, 1, 5, 1, 7], [3, 4, 1, 6, 7]], [[0, 3], [3]], [[3, 0], [1]],
    [[2, 1, 3, 1, 2, 1], [1, 2, 1, 3, 1, 2]], [[1], [2, 3, 17]], [[35, 1], [35, 1]],
    [[19, 1], [1]],
  ]

  @Test("combines what NumPy's rules pair up", arguments: shapes)
  func pairs(_ shapes: [[Int]]) {
    for (a, b) in [(shapes[0], shapes[1]), (shapes[1], shapes[0])] {
      let plan = BroadcastPlan(Shape(a), Shape(b))
      let (x, y) = (numbers(Shape(a).count), numbers(Shape(b).count, stream: 2))
      let pairs = naive(a, b)
      #expect(plan.shape == Shape(resultExtents(a, b)))
      let (lhs, rhs) = (Vector(x, offset: 1), Vector(y, offset: 2))
      for operation in [ElementCode.add, .subtract, .multiply, .divide, .maximum] {
        let c = Vector(count: pairs.count, offset: 3)
        plan.run(operation, lhs.pointer, rhs.pointer, into: c.pointer)
        let expected = pairs.map { apply(operation, x[$0], y[$1]) }
        #expect(c.values == expected, "\(operation) \(a) \(b)")
        #expect(c.isIntact)
        if x.count == pairs.count {
          let inPlace = Vector(x)
          plan.run(operation, inPlace.pointer, rhs.pointer, into: inPlace.pointer)
          #expect(inPlace.values == expected, "in place \(operation) \(a) \(b)")
        }
      }
      let expanded = Vector(count: pairs.count)
      plan.expand(lhs.pointer, into: expanded.pointer)
      #expect(expanded.values == pairs.map { x[$0.0] }, "expand \(a) to \(plan.shape)")
    }
  }

  private func apply(_ operation: ElementCode, _ a: Float, _ b: Float) -> Float {
    switch operation {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: max(a, b)
    default: preconditionFailure("\(operation) is not tested here")
    }
  }

  /// The extents of the result, written out.
  private func resultExtents(_ a: [Int], _ b: [Int]) -> [Int] {
    let axes = max(a.count, b.count)
    return (0..<axes).map { axis in
      let (x, y) = (extent(a, axis, axes), extent(b, axis, axes))
      return x == 1 ? y : x
    }
  }

  private func extent(_ a: [Int], _ axis: Int, _ axes: Int) -> Int {
    axis < axes - a.count ? 1 : a[axis - (axes - a.count)]
  }

  /// The indices of both operands for each element of the result.
  private func naive(_ a: [Int], _ b: [Int]) -> [(Int, Int)] {
    let result = resultExtents(a, b)
    let count = result.reduce(1, *)
    return (0..<count).map { element in
      var rest = element
      var (i, j, iStride, jStride) = (0, 0, 1, 1)
      for axis in result.indices.reversed() {
        let index = rest % result[axis]
        rest /= result[axis]
        let (x, y) = (extent(a, axis, result.count), extent(b, axis, result.count))
        if x != 1 { i += index * iStride }
        if y != 1 { j += index * jStride }
        iStride *= x
        jStride *= y
      }
      return (i, j)
    }
  }
}
