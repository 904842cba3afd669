// Windows and normalisations in text: lists of whole numbers, and the same back.
import Graphs
import Tensors

extension OperationText {
  /// The names of the operations on windows and of normalisations.
  static let windowNames = [
    "convolution", "convolution_input_gradient", "convolution_weight_gradient", "max_pool",
    "max_pool_gradient", "max_pool_selection", "average_pool", "average_pool_gradient",
    "normalize", "normalize_scale_gradient", "normalize_input_gradient",
    "moments",
  ]

  /// Kernel, stride, padding before and after, dilation, and whether channels are last, as lists.
  private static func attributes(_ window: Window, isChannelsLast: Bool) -> [Attribute] {
    func list(_ part: (Window.Axis) -> Int) -> Attribute {
      .list(window.axes.map { .number(Double(part($0))) })
    }
    return [
      list(\.kernel), list(\.stride), list(\.padding.before), list(\.padding.after),
      list(\.dilation), .number(isChannelsLast ? 1 : 0),
    ]
  }

  static func attributes(_ convolution: Convolution) -> [Attribute] {
    attributes(convolution.window, isChannelsLast: convolution.isChannelsLast)
      + [.number(Double(convolution.groups))]
  }

  static func attributes(_ pooling: Pooling) -> [Attribute] {
    attributes(pooling.window, isChannelsLast: pooling.isChannelsLast)
  }

  static func attributes(_ normalization: Normalization) -> [Attribute] {
    [.list(normalization.axes.map { .number(Double($0)) }), .number(normalization.epsilon)]
      + (normalization.isTotal ? [.number(1)] : [])
  }

  /// The operation on windows or the normalisation of that name, or nil if its attributes are others.
  var windowOperation: Graph.Operation? {
    switch name {
    case "normalize": return normalization.map { .normalize($0) }
    case "moments": return normalization.map { .moments($0) }
    case "normalize_scale_gradient": return normalization.map { .normalizeScaleGradient($0) }
    case "normalize_input_gradient": return normalization.map { .normalizeInputGradient($0) }
    case "convolution": return convolution(7).map { .convolution($0) }
    case "convolution_weight_gradient": return convolution(7).map { .convolutionWeightGradient($0) }
    case "convolution_input_gradient":
      guard let convolution = convolution(8), let extents = integers(7) else { return nil }
      return .convolutionInputGradient(convolution, extents: extents)
    case "max_pool": return pooling(6).map { .maxPool($0) }
    case "max_pool_gradient": return pooling(6).map { .maxPoolGradient($0) }
    case "max_pool_selection": return pooling(6).map { .maxPoolSelection($0) }
    case "average_pool": return pooling(6).map { .averagePool($0) }
    case "average_pool_gradient":
      guard let pooling = pooling(7), let extents = integers(6) else { return nil }
      return .averagePoolGradient(pooling, extents: extents)
    default: return nil
    }
  }

  /// The attribute at a place as whole numbers.
  private func integers(_ place: Int) -> [Int]? {
    guard place < attributes.count else { return nil }
    switch attributes[place] {
    case .number(let value): return Int(exactly: value).map { [$0] }
    case .list(let items): return OperationText.axes(items)
    }
  }

  private var normalization: Normalization? {
    guard (2...3).contains(attributes.count), let axes = integers(0),
      case .number(let epsilon) = attributes[1], epsilon >= 0,
      attributes.count == 2 || attributes[2] == .number(1)
    else { return nil }
    return Normalization(axes: axes, epsilon: epsilon, isTotal: attributes.count == 3)
  }

  private func convolution(_ attributeCount: Int) -> Convolution? {
    guard attributes.count == attributeCount, let window, let isChannelsLast,
      let groups = integers(6)?.first, (1...1 << 20).contains(groups)
    else { return nil }
    return Convolution(window, groups: groups, isChannelsLast: isChannelsLast)
  }

  private func pooling(_ attributeCount: Int) -> Pooling? {
    guard attributes.count == attributeCount, let window, let isChannelsLast else { return nil }
    return Pooling(window, isChannelsLast: isChannelsLast)
  }

  private var isChannelsLast: Bool? {
    guard let flag = integers(5)?.first, (0...1).contains(flag) else { return nil }
    return flag == 1
  }

  private var window: Window? {
    let lists = (0..<5).compactMap(integers)
    guard lists.count == 5, let count = lists.first?.count, (1...2).contains(count),
      lists.allSatisfy({ $0.count == count })
    else { return nil }
    var axes: [Window.Axis] = []
    for axis in 0..<count {
      let limits = 0...1 << 20
      guard lists.allSatisfy({ limits.contains($0[axis]) }),
        [0, 1, 4].allSatisfy({ lists[$0][axis] > 0 })
      else { return nil }
      axes.append(
        Window.Axis(
          kernel: lists[0][axis], stride: lists[1][axis],
          padding: (lists[2][axis], lists[3][axis]), dilation: lists[4][axis]))
    }
    return Window(axes)
  }
}
