// Windows in text: lists of whole numbers, and the same back.
import Tensors

extension Window {
  /// The attributes of an operation on windows, in words.
  static let expectation =
    "lists of kernel, stride, padding before and after and dilation, 1 if channels are last, and "
    + "the groups of a convolution"

  /// The kernel, stride, padding before and after, and dilation, as lists.
  fileprivate var attributes: [Attribute] {
    func list(_ part: (Window.Axis) -> Int) -> Attribute { .axes(axes.map(part)) }
    return [
      list(\.kernel), list(\.stride), list(\.padding.before), list(\.padding.after),
      list(\.dilation),
    ]
  }
}

extension Convolution {
  /// The attributes of a convolution in text.
  var attributes: [Attribute] {
    window.attributes + [.number(isChannelsLast ? 1 : 0), .number(Double(groups))]
  }
}

extension Pooling {
  /// The attributes of a pooling in text.
  var attributes: [Attribute] { window.attributes + [.number(isChannelsLast ? 1 : 0)] }
}

extension [Attribute] {
  /// The convolution that the first seven attributes describe.
  var convolution: Convolution? {
    guard let window, let isChannelsLast, let groups = integers(6)?.first,
      (1...1 << 20).contains(groups)
    else { return nil }
    return Convolution(window, groups: groups, isChannelsLast: isChannelsLast)
  }

  /// The pooling that the first six attributes describe.
  var pooling: Pooling? {
    guard let window, let isChannelsLast else { return nil }
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
