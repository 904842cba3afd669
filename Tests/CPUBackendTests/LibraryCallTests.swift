import CPUBackend
import Tensors
import Testing

@Suite("Bare calls of the library")
struct LibraryCallTests {
  @Test("give the same numbers in every way that has plain layouts")
  func ways() throws {
    let (m, n, k) = (5, 7, 11)
    let call = try LibraryCall(
      .product(.init(rows: m, columns: n, depth: k, transposeLHS: true, transposeRHS: false)))
    #expect(call.wayCount == 3)
    #expect(call.counts.lhs >= m * k && call.counts.rhs >= k * n && call.counts.result >= m * n)
    let buffers = [call.counts.lhs, call.counts.rhs, call.counts.result].map {
      FloatBuffer(count: $0)
    }
    for index in 0..<m * k { buffers[0].pointer[index] = Float(index % 13) - 6 }
    for index in 0..<k * n { buffers[1].pointer[index] = Float(index % 9) - 4 }
    for way in [0, 2] {
      call.run(
        way: way, lhs: buffers[0].pointer, rhs: buffers[1].pointer, into: buffers[2].pointer)
      for row in 0..<m {
        for column in 0..<n {
          var sum: Float = 0
          for term in 0..<k {
            sum += buffers[0].pointer[term * m + row] * buffers[1].pointer[term * n + column]
          }
          #expect(buffers[2].pointer[row * n + column] == sum)
        }
      }
    }
  }
}
