// Pooling of images with channels last: sixteen channels at a time.

import Numerics
import Tensors

extension ImageWindow {
  /// The most elements of a window whose maximum has an index, of one byte.
  public static let indexLimit = 255

  /// The channels of indices are rounded up to a multiple of this: whole vectors.
  public static var indexAlignment: Int { laneCount }

  /// The bytes that ``maximum(_:into:indices:throughRelu:)`` saves argmax indices in.
  public var indexCount: Int { batch * rows.output * columns.output * indexStride }

  /// The bytes from one position to the next: whole vectors.
  private var indexStride: Int { channels.rounded(upToMultipleOf: laneCount) }

  /// Writes the maximum of each window; one that covers padding alone gives −∞.
  public func maximum(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    forEachPatch(Maximum(x: x, y: y))
  }

  /// Writes the maximum of each window, and saves the index of its element, the first of equals.
  ///
  /// - Parameters:
  ///   - x: The images.
  ///   - y: The maxima.
  ///   - indices: The argmax indices, ``indexCount`` bytes.
  ///   - throughRelu: True if `x = relu(z)` and the indices are for the cotangent of `z`: maxima that are
  ///     not above 0 have none.
  public func maximum(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>,
    indices: UnsafeMutablePointer<UInt8>, throughRelu: Bool
  ) {
    precondition(rows.window.kernel * columns.window.kernel <= ImageWindow.indexLimit)
    forEachPatch(
      MaximumWithIndices(
        x: x, y: y, indices: indices, stride: indexStride,
        least: Lanes(repeating: throughRelu ? 0 : -.infinity),
        ofLeast: Indices(repeating: throughRelu ? Int32(ImageWindow.indexLimit) : 0)))
  }

  /// Writes the cotangent of x from that of the maxima: added where the maxima were.
  ///
  /// - Parameters:
  ///   - cotangent: The cotangent of the maxima.
  ///   - indices: The indices that ``maximum(_:into:indices:throughRelu:)`` saved.
  ///   - c: The cotangent of x.
  public func maximumGradient(
    _ cotangent: UnsafePointer<Float>, indices: UnsafePointer<UInt8>,
    into c: UnsafeMutablePointer<Float>
  ) {
    if !isTiling { c.update(repeating: 0, count: inputCount) }
    if isDisjoint {
      forEachPatch(
        GradientFromIndices(
          cotangent: cotangent, indices: indices, stride: indexStride, c: c, sum: Replacing()))
    } else {
      forEachPatch(
        GradientFromIndices(
          cotangent: cotangent, indices: indices, stride: indexStride, c: c, sum: Adding()))
    }
  }

  /// Writes the cotangent of x from that of the maxima: added where the maxima are, the first of equals.
  public func maximumGradient(
    _ cotangent: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>
  ) {
    c.update(repeating: 0, count: inputCount)
    forEachPatch(MaximumGradient(cotangent: cotangent, x: x, c: c))
  }

  /// Writes the elements of `v` where the maxima of x are.
  public func selection(
    _ v: UnsafePointer<Float>, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
  ) {
    forEachPatch(MaximumSelection(v: v, x: x, y: y))
  }

  private var share: Lanes {
    Lanes(repeating: 1 / Float(rows.window.kernel * columns.window.kernel))
  }

  /// Writes the mean of each window, padding counted as zeros.
  public func average(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    forEachPatch(Average(x: x, y: y, share: share))
  }

  /// Writes the cotangent of x from that of the means.
  public func averageGradient(
    _ cotangent: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>
  ) {
    c.update(repeating: 0, count: inputCount)
    forEachPatch(AverageGradient(cotangent: cotangent, c: c, share: share))
  }
}

private typealias Indices = SIMD16<Int32>

/// The maxima at a position.
@inline(__always)
private func maxima<Some: Access>(
  _ x: UnsafePointer<Float>, _ patch: ImageWindow.Patch, _ access: Some
) -> Lanes {
  var best = Lanes(repeating: -.infinity)
  patch.forEach { _, offset in best = largerOrNaN(access.read(x + offset), best) }
  return best
}

/// The larger of each lane; what is not a number is larger than all that is, so that it stays to be seen.
@inline(__always)
private func largerOrNaN(_ v: Lanes, _ best: Lanes) -> Lanes {
  Lanes.choose(
    Lanes.choose(v, where: best, isBelow: v, else: best), where: v,
    isBelow: Lanes(repeating: .infinity), else: v)
}

private struct Maximum: PatchKernel {
  let x: UnsafePointer<Float>
  let y: UnsafeMutablePointer<Float>

  @inline(__always)
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some
  ) {
    access.write(maxima(x + channel, patch, access), y + place + channel)
  }
}

private struct MaximumWithIndices: PatchKernel {
  let x: UnsafePointer<Float>
  let y: UnsafeMutablePointer<Float>
  let indices: UnsafeMutablePointer<UInt8>
  let stride: Int
  /// The number that a first maximum must exceed, and the index where none does.
  let least: Lanes
  let ofLeast: Indices

  @inline(__always)
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some
  ) {
    var best = Lanes(repeating: -.infinity)
    var (largest, choice) = (least, ofLeast)
    patch.forEach { index, offset in
      let v = access.read(x + offset + channel)
      choice.replace(
        with: Indices(repeating: Int32(truncatingIfNeeded: index)), where: largest .< v)
      largest = larger(v, largest)
      best = largerOrNaN(v, best)
    }
    access.write(best, y + place + channel)
    UnsafeMutableRawPointer(indices + position &* stride + channel)
      .storeBytes(of: SIMD16<UInt8>(truncatingIfNeeded: choice), as: SIMD16<UInt8>.self)
  }
}

/// The way that a share meets the shares that an element has already.
private protocol Giving {
  func give<Some: Access>(_ part: Lanes, _ target: UnsafeMutablePointer<Float>, _ access: Some)
}

private struct Replacing: Giving {
  @inline(__always)
  func give<Some: Access>(_ part: Lanes, _ target: UnsafeMutablePointer<Float>, _ access: Some) {
    access.write(part, target)
  }
}

private struct Adding: Giving {
  @inline(__always)
  func give<Some: Access>(_ part: Lanes, _ target: UnsafeMutablePointer<Float>, _ access: Some) {
    access.write(access.read(target) + part, target)
  }
}

private struct GradientFromIndices<Sum: Giving>: PatchKernel {
  let cotangent: UnsafePointer<Float>
  let indices: UnsafePointer<UInt8>
  let stride: Int
  let c: UnsafeMutablePointer<Float>
  let sum: Sum

  @inline(__always)
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some
  ) {
    let zero = Lanes(repeating: 0)
    let whole = access.read(cotangent + place + channel)
    let choice = Indices(
      truncatingIfNeeded: UnsafeRawPointer(indices + position &* stride + channel)
        .loadUnaligned(as: SIMD16<UInt8>.self))
    patch.forEach { index, offset in
      let isChosen = choice .== Indices(repeating: Int32(truncatingIfNeeded: index))
      sum.give(zero.replacing(with: whole, where: isChosen), c + offset + channel, access)
    }
  }
}

private struct MaximumGradient: PatchKernel {
  let cotangent: UnsafePointer<Float>
  let x: UnsafePointer<Float>
  let c: UnsafeMutablePointer<Float>

  @inline(__always)
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some
  ) {
    let zero = Lanes(repeating: 0)
    let best = maxima(x + channel, patch, access)
    var rest = access.read(cotangent + place + channel)
    patch.forEach { _, offset in
      let v = access.read(x + offset + channel)
      let target = c + offset + channel
      access.write(
        access.read(target) + Lanes.choose(zero, where: v, isBelow: best, else: rest), target)
      rest = Lanes.choose(rest, where: v, isBelow: best, else: zero)
    }
  }
}

private struct MaximumSelection: PatchKernel {
  let v: UnsafePointer<Float>
  let x: UnsafePointer<Float>
  let y: UnsafeMutablePointer<Float>

  @inline(__always)
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some
  ) {
    let zero = Lanes(repeating: 0)
    let best = maxima(x + channel, patch, access)
    var (chosen, rest) = (zero, Lanes(repeating: 1))
    patch.forEach { _, offset in
      let element = access.read(x + offset + channel)
      let share = Lanes.choose(zero, where: element, isBelow: best, else: rest)
      rest = Lanes.choose(rest, where: element, isBelow: best, else: zero)
      chosen = chosen + share * access.read(v + offset + channel)
    }
    access.write(chosen, y + place + channel)
  }
}

private struct Average: PatchKernel {
  let x: UnsafePointer<Float>
  let y: UnsafeMutablePointer<Float>
  let share: Lanes

  @inline(__always)
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some
  ) {
    var sum = Lanes(repeating: 0)
    patch.forEach { _, offset in sum = sum + access.read(x + offset + channel) }
    access.write(sum * share, y + place + channel)
  }
}

private struct AverageGradient: PatchKernel {
  let cotangent: UnsafePointer<Float>
  let c: UnsafeMutablePointer<Float>
  let share: Lanes

  @inline(__always)
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some
  ) {
    let added = access.read(cotangent + place + channel) * share
    patch.forEach { _, offset in
      let target = c + offset + channel
      access.write(access.read(target) + added, target)
    }
  }
}
