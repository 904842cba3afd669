import Tensors
import TestSupport
import Testing

@Suite("Flat layout")
struct FlatLayoutTests {
  @Test("rounds up to the least multiple that is not smaller", arguments: [1, 2, 7, 16])
  func rounding(unit: Int) {
    for number in 0...40 {
      let rounded = number.rounded(upToMultipleOf: unit)
      #expect(rounded % unit == 0 && number <= rounded && rounded < number + unit)
    }
  }

  @Test("ranges are aligned, in order, and do not overlap", arguments: 0..<20)
  func ranges(seed: Int) {
    var numbers = TestNumbers("flat layout", "\(seed)")
    let shapes = (0..<8).map { _ in
      Shape((0..<numbers.below(4)).map { _ in numbers.below(9) })
    }
    let layout = FlatLayout(shapes.enumerated().map { ("p\($0)", $1) })
    var end = 0
    for (range, shape) in zip(layout.ranges, shapes) {
      #expect(range.shape == shape && range.count == shape.count)
      #expect(range.offset % FlatLayout.alignment == 0)
      #expect(range.offset >= end && range.offset - end < FlatLayout.alignment)
      #expect(range.indices == range.offset..<range.offset + shape.count)
      end = range.offset + range.count
    }
    #expect(layout.count >= end && layout.count - end < FlatLayout.alignment)
    #expect(layout.count % FlatLayout.alignment == 0)
    #expect(layout.elementCount == shapes.reduce(0) { $0 + $1.count })
  }

  @Test("arrays are found by name")
  func lookup() {
    let layout = FlatLayout([("fc1/weight", [3, 5]), ("fc1/bias", [3]), ("scale", [])])
    #expect(layout["fc1/weight"]?.indices == 0..<15)
    #expect(layout["fc1/bias"]?.indices == 16..<19)
    #expect(layout["scale"]?.indices == 32..<33)
    #expect(layout["fc2/weight"] == nil)
    #expect(layout.count == 48 && layout.elementCount == 19)
    #expect(FlatLayout([]).count == 0)
  }

  @Test("two arrays of one name stop the program")
  func duplicates() async {
    await #expect(processExitsWith: .failure) { _ = FlatLayout([("a", [1]), ("a", [2])]) }
  }

  @Test("buffers are zero and begin on a cache line", arguments: [0, 1, 17, 4096])
  func buffer(count: Int) {
    let buffer = FloatBuffer(count: count)
    #expect(buffer.elements.count == count && buffer.elements.allSatisfy { $0 == 0 })
    #expect(UInt(bitPattern: buffer.pointer) % UInt(FloatBuffer.alignment) == 0)
    buffer.elements.update(repeating: 2)
    #expect(buffer.elements.allSatisfy { $0 == 2 })
  }
}
