import Kernels
import Tensors
import Testing

@Suite("Convolutions of images")
struct ConvolutionTests {
  @Test(
    "and both their gradients are those of loops, with bias and activation",
    arguments: Convolution.cases)
  func naive(_ test: Convolution) throws {
    let x = Vector(numbers(test.x.count))
    let w = Vector(numbers(test.w.count, stream: 2))
    let y = Vector(numbers(test.y.count, stream: 3))
    let bias = Vector(numbers(test.outputs, stream: 4))
    var expected = (
      x: [Double](repeating: 0, count: x.count), w: [Double](repeating: 0, count: w.count),
      y: (0..<y.count).map { Double(bias.values[$0 % test.outputs]) }
    )
    test.forEachProduct(of: 0..<test.batch) { i, j, k in
      expected.x[i] += Double(w.pointer[j]) * Double(y.pointer[k])
      expected.w[j] += Double(x.pointer[i]) * Double(y.pointer[k])
      expected.y[k] += Double(x.pointer[i]) * Double(w.pointer[j])
    }
    func run(
      _ kind: ImageConvolution.Kind, x: Vector, w: Vector, y: Vector, bias: Vector? = nil
    ) throws {
      let convolution = try ImageConvolution(
        kind, Window(test.axes), groups: test.groups, x: test.x, y: test.y,
        activation: bias == nil ? .none : .relu)
      convolution.run(x: x.pointer, w: w.pointer, y: y.pointer, bias: bias?.pointer)
      #expect(x.isIntact && w.isIntact && y.isIntact)
    }
    let found = (Vector(count: x.count), Vector(count: w.count), Vector(count: y.count))
    try run(.inputGradient, x: found.0, w: w, y: y)
    try run(.weightGradient, x: x, w: found.1, y: y)
    try run(.forward(bias: true), x: x, w: w, y: found.2, bias: bias)
    #expect(distance(found.0.values, expected.x) < 2e-6)
    #expect(distance(found.1.values, expected.w) < 2e-6)
    #expect(distance(found.2.values, expected.y.map { max($0, 0) }) < 2e-6)
  }

  @Test("of no images are zeros")
  func nothing() throws {
    let window = Window([.init(kernel: 2), .init(kernel: 2)])
    let w = Vector(numbers(3 * 2 * 4))
    let (x, y) = (Vector(count: 0), Vector(count: 0))
    try ImageConvolution(
      .weightGradient, window, groups: 1, x: [0, 4, 4, 2], y: [0, 3, 3, 3]
    ).run(x: x.pointer, w: w.pointer, y: y.pointer, bias: nil)
    #expect(w.values.allSatisfy { $0 == 0 })
  }
}
