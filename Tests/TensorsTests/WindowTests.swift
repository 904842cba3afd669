import Tensors
import Testing

@Suite("Window over spatial axes")
struct WindowTests {
  @Test("has as many positions as fit, counted one by one")
  func positions() {
    for extent in 1...9 {
      for kernel in 1...4 {
        for stride in 1...3 {
          for dilation in 1...3 {
            for (before, after) in [(0, 0), (1, 1), (2, 0), (0, 3)] {
              let axis = Window.Axis(
                kernel: kernel, stride: stride, padding: (before, after), dilation: dilation)
              var count = 0
              while count * stride - before + dilation * (kernel - 1) < extent + after {
                count += 1
              }
              #expect(axis.positions(over: extent) == (count == 0 ? nil : count))
            }
          }
        }
      }
    }
  }

  @Test("fits where it fits along every axis")
  func axes() {
    let window = Window([.init(kernel: 3, padding: (1, 1)), .init(kernel: 2, stride: 2)])
    #expect(window.kernelCount == 6)
    #expect(window.positions(over: [5, 7]) == [5, 3])
    #expect(window.positions(over: [5, 1]) == nil)
  }
}
