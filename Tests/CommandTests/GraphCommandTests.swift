import Foundation
import TestSupport
import Testing

@Suite("nndist graph and check of expressions")
struct GraphCommandTests {
  @Test("prints a gradient, also of an expression that begins with a hyphen")
  func gradient() throws {
    let result = try run(
      "nndist", "graph", "-x'*θ", "--shape", "x=3", "--shape", "θ=3", "--gradient")
    #expect(result.status == 0)
    #expect(result.output == "-x'*θ  # value\n-x  # gradient of θ\n")
  }

  @Test("an error is three lines with a caret, and status 64")
  func caret() throws {
    let result = try run("nndist", "graph", "W*x + b)")
    #expect(result.status == 64)
    #expect(
      result.error == """
        nndist: line 1, column 8: found ')', expected an operator
        W*x + b)
               ^

        """)
  }

  @Test("a configuration is shown without its data, and an expression checked")
  func configuration() throws {
    let path = repository.appendingPathComponent("launch/configs/digits-logistic.yaml").path
    let result = try run("nndist", "graph", path, "--samples", "64")
    #expect(result.status == 0)
    #expect(
      result.output
        == "cross_entropy(`affine1/weight`*samples + `affine1/bias`, targets)\n")
    #expect(
      try run("nndist", "check", "‖W*x‖^2", "--shape", "x=batch,3", "--shape", "W=2,3").status == 0)
  }
}
