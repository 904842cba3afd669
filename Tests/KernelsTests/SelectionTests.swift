import Kernels
import Testing

@Suite("Kernels that move elements")
struct SelectionTests {
  @Test("transpose moves every element", arguments: extents)
  func transpose(rows: Int) {
    for columns in extents {
      let a = Vector(numbers(2 * rows * columns), offset: 1)
      let c = Vector(count: 2 * rows * columns, offset: 3)
      Selection.transpose(a.pointer, count: 2, rows: rows, columns: columns, into: c.pointer)
      var expected: [UInt32] = []
      for matrix in 0..<2 {
        for j in 0..<columns {
          for i in 0..<rows { expected.append(a.bits[(matrix * rows + i) * columns + j]) }
        }
      }
      #expect(c.bits == expected, "[\(rows), \(columns)]")
      #expect(c.isIntact)
    }
  }

  @Test("permute moves every element")
  func permute() {
    let extents = [3, 5, 4]
    let a = Vector(numbers(60))
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
      let c = Vector(count: 60, offset: 1)
      let strides = order.map { [20, 4, 1][$0] }
      let moved = order.map { extents[$0] }
      Selection.permute(a.pointer, extents: moved, strides: strides, into: c.pointer)
      var expected: [Float] = []
      for i in 0..<moved[0] {
        for j in 0..<moved[1] {
          for k in 0..<moved[2] {
            expected.append(a.pointer[i * strides[0] + j * strides[1] + k * strides[2]])
          }
        }
      }
      #expect(c.values == expected, "\(order)")
    }
  }
}
