import TestSupport
import Testing

@Suite("Allocations", .timeLimit(.minutes(5)))
struct AllocationTests {
  @Test("a plan that has run, and a whole step of one process, allocate nothing")
  func steadyState() throws {
    let result = try run("AllocationCheck")
    #if DEBUG
      // Without optimisation the loops over generic collections allocate their iterators.
      #expect(result.status == 0 || result.status == 1, "\(result)")
    #else
      #expect(result.status == 0, "\(result)")
    #endif
  }
}
