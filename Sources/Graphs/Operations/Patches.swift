// The images of a convolution unfolded, so that its three maps are products of matrices.
import Tensors

/// For each element of the window, over the input channels of a group, what it covers at each position.
///
/// A patch matrix has a row for each input channel of the group and each element of the window, and a column for
/// each position; what lies in the padding is zero. All three maps are sums along rows or columns of it, whose
/// inner loops go over neighbours in memory.
struct Patches {
  private let batch: Int
  private let groups: Int
  private let inShare: Int
  private let outShare: Int
  private let images: ImageStrides
  private let results: ImageStrides
  private let positionCount: Int
  private let kernelCount: Int
  /// For each element of the window and each position, where in a channel of an image it lies; −1 in padding.
  private var places: [Int]
  /// The index of each position in a channel of a result.
  private var targets: [Int]

  /// Lays out the patches of a convolution.
  ///
  /// - Parameters:
  ///   - convolution: The window and the groups.
  ///   - images: The shape of the images that the window slides over.
  ///   - positions: The shape of what the convolution gives.
  init(_ convolution: Convolution, images: Shape, positions: Shape) {
    let isLast = convolution.isChannelsLast
    let (x, y) = (imageExtents(images, isLast), imageExtents(positions, isLast))
    (batch, groups) = (images[0], convolution.groups)
    (inShare, outShare) = (x.channels / groups, y.channels / groups)
    self.images = ImageStrides(channels: x.channels, spatial: x.spatial, isChannelsLast: isLast)
    results = ImageStrides(channels: y.channels, spatial: y.spatial, isChannelsLast: isLast)
    let loops = WindowLoops(convolution.window, input: x.spatial, output: y.spatial)
    let columns = y.spatial.last ?? 1
    positionCount = y.spatial.reduce(1, *)
    kernelCount = loops.kernelCount
    places = Array(repeating: -1, count: kernelCount * positionCount)
    targets = Array(repeating: 0, count: positionCount)
    for position in 0..<positionCount {
      targets[position] =
        position / columns * results.row + position % columns * results.column
    }
    loops.forEach { p, q, i, j, k in
      places[k * positionCount + p * columns + q] = i * self.images.row + j * self.images.column
    }
  }

  /// A patch matrix of zeros.
  var zeros: [Double] { Array(repeating: 0, count: inShare * places.count) }

  /// Calls `body` with the number of each image and each group.
  func forEachGroup(_ body: (_ image: Int, _ group: Int) -> Void) {
    for image in 0..<batch {
      for group in 0..<groups { body(image, group) }
    }
  }

  /// The output channels of a group.
  func outputs(of group: Int) -> Range<Int> { group * outShare..<(group + 1) * outShare }

  private func base(_ image: Int, _ group: Int, _ channel: Int) -> Int {
    image * images.image + (group * inShare + channel) * images.channel
  }

  /// The patch matrix of one image and group.
  func gathered(_ x: [Double], image: Int, group: Int) -> [Double] {
    var elements = zeros
    for channel in 0..<inShare {
      let (base, row) = (base(image, group, channel), channel * places.count)
      for (index, place) in places.enumerated() where place >= 0 {
        elements[row + index] = x[base + place]
      }
    }
    return elements
  }

  /// Adds a patch matrix to the elements of an image that it is made of.
  func scatter(_ elements: [Double], image: Int, group: Int, into x: inout [Double]) {
    for channel in 0..<inShare {
      let (base, row) = (base(image, group, channel), channel * places.count)
      for (index, place) in places.enumerated() where place >= 0 {
        x[base + place] += elements[row + index]
      }
    }
  }

  /// One output channel of a result, position by position.
  func row(_ y: [Double], image: Int, output: Int) -> [Double] {
    let base = image * results.image + output * results.channel
    return targets.map { y[base + $0] }
  }

  /// Writes one output channel of a result.
  func write(_ row: [Double], image: Int, output: Int, into y: inout [Double]) {
    let base = image * results.image + output * results.channel
    for (target, value) in zip(targets, row) { y[base + target] = value }
  }

  /// The sum of the rows of a patch matrix, each times its weight.
  func sum(of elements: [Double], weights: [Double], output: Int) -> [Double] {
    var result = Array(repeating: 0.0, count: positionCount)
    result.withUnsafeMutableBufferPointer { c in
      elements.withUnsafeBufferPointer { a in
        for k in 0..<inShare * kernelCount {
          let w = weights[output * inShare * kernelCount + k]
          for p in 0..<positionCount { c[p] += w * a[k * positionCount + p] }
        }
      }
    }
    return result
  }

  /// Adds a row, times each weight, to the rows of a patch matrix.
  func add(_ row: [Double], weights: [Double], output: Int, to elements: inout [Double]) {
    elements.withUnsafeMutableBufferPointer { c in
      row.withUnsafeBufferPointer { a in
        for k in 0..<inShare * kernelCount {
          let w = weights[output * inShare * kernelCount + k]
          for p in 0..<positionCount { c[k * positionCount + p] += w * a[p] }
        }
      }
    }
  }

  /// Adds the products of a row with the rows of a patch matrix to the weights of an output.
  func addProducts(
    of elements: [Double], _ row: [Double], output: Int, to weights: inout [Double]
  ) {
    func four(_ x: UnsafeBufferPointer<Double>, _ index: Int) -> SIMD4<Double> {
      UnsafeRawBufferPointer(x).loadUnaligned(fromByteOffset: 8 * index, as: SIMD4<Double>.self)
    }
    row.withUnsafeBufferPointer { b in
      elements.withUnsafeBufferPointer { a in
        for k in 0..<inShare * kernelCount {
          // Four sums side by side, as one sum waits for itself.
          var sums = SIMD4<Double>.zero
          var p = 0
          while p + 4 <= positionCount {
            sums += four(a, k * positionCount + p) * four(b, p)
            p += 4
          }
          var sum = sums.sum()
          while p < positionCount {
            sum += a[k * positionCount + p] * b[p]
            p += 1
          }
          weights[output * inShare * kernelCount + k] += sum
        }
      }
    }
  }
}
