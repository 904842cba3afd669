// From steps of images to the kernels that compute them.
import Execution
import Graphs
import Kernels
import Tensors

extension Lowering {
  /// The maxima of windows, with their indices.
  func maxPoolWithIndices(_ step: Step, _ pooling: Pooling, throughRelu: Bool) -> Call {
    let window = window(pooling, over: step.operands[0], output: step.results[0])
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let offset = indexOffset(step.results[1], window)
    return {
      window.maximum(
        $0[x], into: $0[target], indices: $0.indices + offset, throughRelu: throughRelu)
    }
  }

  /// The cotangent of images from that of the maxima and the indices.
  func maxPoolGradientFromIndices(_ step: Step, _ pooling: Pooling) -> Call {
    let window = window(pooling, over: step.results[0], output: step.operands[0])
    let (cotangent, target) = (step.operands[0].location, step.results[0].location)
    let offset = indexOffset(step.operands[1], window)
    return {
      window.maximumGradient($0[cotangent], indices: $0.indices + offset, into: $0[target])
    }
  }

  private func indexOffset(_ indices: Value, _ window: ImageWindow) -> Int {
    precondition(shape(indices).count == window.indexCount, "indices of another size")
    return indices.location.offset
  }

  /// The maximum or the mean of each window.
  func pool(_ step: Step, _ pooling: Pooling, isMaximum: Bool) -> Call {
    let window = window(pooling, over: step.operands[0], output: step.results[0])
    let (x, target) = (step.operands[0].location, step.results[0].location)
    return isMaximum
      ? { window.maximum($0[x], into: $0[target]) } : { window.average($0[x], into: $0[target]) }
  }

  /// The cotangent of images from that of the maxima and the images.
  func maxPoolGradient(_ step: Step, _ pooling: Pooling) -> Call {
    let window = window(pooling, over: step.results[0], output: step.operands[0])
    let (c, x) = (step.operands[0].location, step.operands[1].location)
    let target = step.results[0].location
    return { window.maximumGradient($0[c], $0[x], into: $0[target]) }
  }

  /// The numbers where the maxima of images are.
  func maxPoolSelection(_ step: Step, _ pooling: Pooling) -> Call {
    let window = window(pooling, over: step.operands[1], output: step.results[0])
    let (v, x) = (step.operands[0].location, step.operands[1].location)
    let target = step.results[0].location
    return { window.selection($0[v], $0[x], into: $0[target]) }
  }

  /// The cotangent of images from that of the means.
  func averagePoolGradient(_ step: Step, _ pooling: Pooling) -> Call {
    let window = window(pooling, over: step.results[0], output: step.operands[0])
    let (c, target) = (step.operands[0].location, step.results[0].location)
    return { window.averageGradient($0[c], into: $0[target]) }
  }

  private func window(_ pooling: Pooling, over images: Value, output: Value) -> ImageWindow {
    precondition(pooling.isChannelsLast, "images whose channels are not last")
    let (input, output) = (shape(images), shape(output))
    return ImageWindow(
      pooling.window, batch: input[0], channels: input.extents[input.axisCount - 1],
      input: Array(input.extents[1..<input.axisCount - 1]),
      output: Array(output.extents[1..<output.axisCount - 1]))
  }
}
