import OneDNN
import Testing

/// A convolution computed term by term in `Double`, images with channels last.
private struct NaiveConvolution {
  let batch = 2
  let inputs: Int, outputs: Int, groups: Int
  let kernel: Int, stride: Int, dilation: Int, padding: Int
  let height = 7, width = 9

  func output(_ input: Int) -> Int {
    (input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
  }

  var xCount: Int { batch * height * width * inputs }
  var wCount: Int { outputs * (inputs / groups) * kernel * kernel }
  var yCount: Int { batch * output(height) * output(width) * outputs }

  var geometry: ConvolutionPrimitive.Geometry {
    func axis(_ extent: Int) -> ConvolutionPrimitive.Geometry.Axis {
      .init(
        input: extent, output: output(extent), kernel: kernel, stride: stride, dilation: dilation,
        before: padding, after: padding)
    }
    return .init(
      batch: batch, inputs: inputs, outputs: outputs, groups: groups,
      axes: [axis(height), axis(width)])
  }

  /// Calls `body` with the places in x, W and y of every product that the convolution adds up.
  func forEachTerm(_ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
    let (perInput, perOutput) = (inputs / groups, outputs / groups)
    for b in 0..<batch {
      for row in 0..<output(height) {
        for column in 0..<output(width) {
          for out in 0..<outputs {
            let y = ((b * output(height) + row) * output(width) + column) * outputs + out
            for c in 0..<perInput {
              for i in 0..<kernel {
                for j in 0..<kernel {
                  let (r, s) = (
                    row * stride - padding + i * dilation, column * stride - padding + j * dilation
                  )
                  guard (0..<height).contains(r), (0..<width).contains(s) else { continue }
                  let x = ((b * height + r) * width + s) * inputs + out / perOutput * perInput + c
                  body(x, ((out * perInput + c) * kernel + i) * kernel + j, y)
                }
              }
            }
          }
        }
      }
    }
  }
}

/// Numbers between -1 and 1 without a pattern that sums could hide.
private func numbers(_ count: Int, seed: Int) -> [Float] {
  (0..<count).map { Float(($0 * 7919 + seed * 104_729) % 1009) / 504 - 1 }
}

private func largestDifference(_ values: [Float], _ expected: [Double]) -> Double {
  zip(values, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
}

@Suite("Convolution primitives")
struct ConvolutionTests {
  @Test(
    "equal the naive loop, forward and both ways back",
    arguments: [(1, 1, 1), (3, 5, 1), (16, 32, 1), (17, 16, 1), (4, 6, 2), (8, 8, 8)],
    [(1, 1, 1, 0), (3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 2, 2), (2, 3, 1, 0)])
  func naive(channels: (Int, Int, Int), window: (Int, Int, Int, Int)) throws {
    prepareThread()
    let naive = NaiveConvolution(
      inputs: channels.0, outputs: channels.1, groups: channels.2, kernel: window.0,
      stride: window.1, dilation: window.2, padding: window.3)
    let x = numbers(naive.xCount, seed: 1)
    let w = numbers(naive.wCount, seed: 2)
    let y = numbers(naive.yCount, seed: 3)
    let bias = numbers(naive.outputs, seed: 4)
    var (forward, inputGradient, weightGradient) = (
      (0..<naive.yCount).map { Double(bias[$0 % naive.outputs]) },
      [Double](repeating: 0, count: naive.xCount), [Double](repeating: 0, count: naive.wCount)
    )
    naive.forEachTerm { i, j, k in
      forward[k] += Double(x[i]) * Double(w[j])
      inputGradient[i] += Double(y[k]) * Double(w[j])
      weightGradient[j] += Double(y[k]) * Double(x[i])
    }

    var result = [Float](repeating: .nan, count: naive.yCount)
    try ConvolutionPrimitive(.forward(bias: true), naive.geometry)
      .run(x: x, w: w, y: &result, bias: bias)
    #expect(largestDifference(result, forward) < 1e-4)

    var xGradient = [Float](repeating: .nan, count: naive.xCount)
    try ConvolutionPrimitive(.inputGradient, naive.geometry).run(x: &xGradient, w: w, y: y)
    #expect(largestDifference(xGradient, inputGradient) < 1e-4)

    var wGradient = [Float](repeating: .nan, count: naive.wCount)
    try ConvolutionPrimitive(.weightGradient, naive.geometry).run(x: x, w: &wGradient, y: y)
    #expect(largestDifference(wGradient, weightGradient) < 1e-3)
  }
}
