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

  @Test("expressions may begin with a minus sign and come from files; options are refused by name")
  func sources() throws {
    for arguments in [["-x"], ["-x*y"], ["--", "-x"], ["-‖x‖"], ["-.5*x"]] {
      #expect(try run("nndist", arguments: ["graph"] + arguments).status == 0, "\(arguments)")
    }
    let folder = try TemporaryFolder()
    let path = try folder.write(
      Array("let h = tanh(W*x)  # hidden\r\n\th^2\r\n".utf8), to: "loss.txt")
    #expect(try run("nndist", "graph", path).output == "tanh(W*x)^2\n")
    let noise = try folder.write([0xFF, 0x00, 0xFE], to: "noise.txt")
    for arguments in [
      [noise], [folder.file("none.txt")], ["x", "--shape", "y=3"], ["x", "--shape", "x=3,"],
      ["x", "--shape", "x=3", "--shape", "x=4"], ["x", "--parameters", "x,x"], [""],
    ] {
      let result = try run("nndist", arguments: ["graph"] + arguments)
      #expect(result.status == 64, "\(arguments): \(result)")
      #expect(result.error.hasPrefix("nndist: "), "\(arguments): \(result)")
    }
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
