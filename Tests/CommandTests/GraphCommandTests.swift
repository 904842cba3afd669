import Drawing
import Expressions
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

  @Test("a derivative that is not a number has no sign, and does not pass")
  func notANumber() throws {
    let result = try run("nndist", "check", "sqrt(-x^2 - 1)")
    #expect(result.status == 70)
    #expect(result.output.contains("gradient nan, central difference nan"))
    #expect(!(result.output + result.error).contains("-nan"))
  }

  @Test(
    "derivatives that cancel exactly agree",
    arguments: [
      ["sigmoid(θ*x) + sigmoid(-θ*x)"], ["exp(θ)*exp(-θ)*x"],
      ["sum(softmax(square(θ.*x)))", "--shape", "x=batch,3", "--shape", "θ=3"],
    ])
  func cancelling(arguments: [String]) throws {
    for seed in [0, 7, 30] + Array(1...5) {
      let result = try run(
        "nndist", arguments: ["check"] + arguments + ["--seed", "\(seed)"])
      #expect(result.status == 0, "seed \(seed): \(result)")
    }
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

@Suite("Pictures by nndist graph", .timeLimit(.minutes(5)))
struct GraphPictureTests {
  let digits = repository.appendingPathComponent("launch/configs/digits.yaml").path
  let bare = ["--samples", "64"]
  static let linear = "||(x1*θ1 + x2*θ2) - y||^2"

  @Test("a summary of the bundled configuration, without --as")
  func summary() throws {
    let result = try run("nndist", "graph", digits, "--detail", "summary")
    #expect(result.status == 0, "\(result)")
    #expect(
      result.output
        == "64 → 256 relu → 128 relu → 10 → softmax cross entropy; 50,826 parameters in 6 arrays; "
        + "10 operations\n")
  }

  @Test(
    "the ending of the output names the form",
    arguments: [
      ("svg", "<?xml"), ("png", "\u{89}PNG"), ("pdf", "%PDF"), ("dot", "digraph"),
      ("gv", "digraph"), ("mmd", "flowchart"), ("mermaid", "flowchart"), ("txt", "loss"),
      ("json", "{"), ("tex", "z_{1} = "),
    ])
  func endings(ending: String, beginning: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.file("picture.\(ending)")
    let result = try run(
      "nndist", arguments: ["graph", digits, "--gradient", "--output", path] + bare)
    #expect(result.status == 0 && result.output.isEmpty, "\(result)")
    let expected =
      ending == "png" ? [0x89, 0x50, 0x4E, 0x47] : Array(beginning.utf8)
    #expect(try contents(of: path).starts(with: expected))
  }

  @Test(
    "an expression is drawn at every level of detail",
    arguments: ["scalar", "tensor", "operations", "layers", "network", "summary"])
  func expressionLevels(detail: String) throws {
    for form in ["text", "svg", "mermaid"] {
      let result = try run(
        "nndist", "graph", GraphPictureTests.linear, "--detail", detail, "--as", form)
      let isRefused =
        form != "text" && detail == "summary" || form == "mermaid" && detail == "network"
      #expect(result.status == (isRefused ? 64 : 0), "\(form) \(result)")
      #expect(result.output.isEmpty == isRefused, "\(form) \(result)")
    }
  }

  @Test("layers of an expression, drawn in characters as the library draws them")
  func expressionLayers() throws {
    let text = "cross_entropy(W2*relu(W1*x + b1) + b2, y)"
    let shapes = ["x=batch,3", "W1=4,3", "b1=4", "W2=2,4", "b2=2", "y=batch"]
    let result = try run(
      "nndist",
      arguments: ["graph", text, "--detail", "layers"] + shapes.flatMap { ["--shape", $0] })
    let formula = try Formula(text, Declarations(shapes: shapes, parameters: nil))
    let drawn = DrawnGraph(formula.graph, results: formula.outputs)
    #expect(result.output == (try drawn.text(detail: .layers)))
    #expect(result.output.contains("│ □ · W₂ᵀ + b₂"))
  }

  @Test("a checkpoint's weights colour its picture, and its graph is text too")
  func checkpoint() throws {
    let folder = try TemporaryFolder()
    let output = folder.file("run")
    let trained = try run(
      "nndist", "train", digits, "--set", "epochs=1", "--output", output)
    #expect(trained.status == 0, "\(trained)")
    let names = try FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints")
    let name = try #require(names.first { $0.hasSuffix(".h5") })
    let result = try run(
      "nndist", "graph", "\(output)/checkpoints/\(name)", "--detail", "network", "--as", "svg")
    #expect(result.status == 0 && result.output.contains("stroke-dasharray"), "\(result)")
    let text = try run("nndist", "graph", "\(output)/checkpoints/\(name)", "--as", "program")
    #expect(text.status == 0 && text.output.contains("softmax_cross_entropy"), "\(text)")
  }

  @Test("a program that is not installed is named with its package, status 69")
  func missingProgram() throws {
    for (detail, package) in [("layers", "graphviz"), ("network", "librsvg2-bin")] {
      let result = try run(
        "nndist", arguments: ["graph", digits, "--detail", detail, "--as", "png"] + bare,
        environment: ["PATH": "/nonexistent"])
      #expect(result.status == 69, "\(result)")
      #expect(result.error.hasSuffix("it is in Debian's package \(package)\n"), "\(result)")
    }
  }

  @Test("a path that cannot be written is named, status 74", arguments: ["dot", "json"])
  func badOutput(ending: String) throws {
    let path = "/nonexistent/picture.\(ending)"
    let result = try run("nndist", arguments: ["graph", digits, "--output", path] + bare)
    #expect(result.status == 74 && result.error.contains(path), "\(result)")
  }

  @Test(
    "what cannot be drawn is refused with the status of its kind",
    arguments: [
      (["--detail", "scalar", "--samples", "64"], 64),
      (["--detail", "network", "--as", "dot", "--samples", "64"], 64),
      (["--samples", "9223372036854775807,2"], 64), (["--samples", "0"], 64),
      (["--output", "picture.jpeg"], 64), (["--rows", "0", "--detail", "scalar"], 64),
      (["--responses", "2"], 64), (["--rows", "2"], 64), (["--shape", "x=2"], 64),
      (["--parameters", "x"], 64), (["--as", "latex", "--detail", "layers"], 64),
      (["--as", "json", "--background", "dark"], 64),
      (["--as", "text", "--background", "dark"], 64),
      (["--gradient", "--detail", "network", "--samples", "64"], 64),
      (["--samples", "64", "--responses", "10"], 78), (["--set", "model=[]"], 78),
      (["--set", "data.train=nothing.h5"], 65),
    ] as [([String], Int32)])
  func refusals(options: [String], status: Int32) throws {
    let result = try run("nndist", arguments: ["graph", digits] + options)
    #expect(result.status == status && !result.error.isEmpty, "\(result)")
    #expect(result.output.isEmpty, "\(result)")
  }

  @Test(
    "options of configurations are refused with an expression", arguments: ["--set", "--samples"])
  func refusedWithExpression(option: String) throws {
    let result = try run("nndist", "graph", GraphPictureTests.linear, option, "64")
    #expect(result.status == 64)
    #expect(
      result.error == "nndist: \(option) goes with a configuration; see 'nndist graph --help'\n")
  }

  @Test("an expression that is no chain of layers has no columns, and is told what draws it")
  func noColumns() throws {
    let result = try run("nndist", "graph", "exp(x) + y", "--detail", "network")
    #expect(result.status == 64)
    #expect(result.error.contains("no product of data and parameters"), "\(result)")
    #expect(result.error.contains("detail 'layers' draws any graph"), "\(result)")
  }

  @Test("the pictures of the README are what its commands write")
  func readme() throws {
    let readme = try String(
      contentsOf: repository.appendingPathComponent("README.md"), encoding: .utf8)
    let folder = try TemporaryFolder()
    var names: Set<String> = []
    for line in readme.split(separator: "\n") where line.hasPrefix("nndist graph ") {
      guard let name = line.split(separator: "--output ").last, name.hasSuffix(".svg"),
        line.contains("--output")
      else { continue }
      let program = try builtProgram("nndist").path
      let result = try run(
        "/bin/sh", arguments: ["-c", program + line.dropFirst("nndist".count)],
        directory: URL(fileURLWithPath: folder.path))
      #expect(result.status == 0, "\(result)")
      let kept = repository.appendingPathComponent("Sources/Drawing/Drawing.docc/Resources/\(name)")
      let (found, expected) = (
        try contents(of: folder.file(String(name))), try contents(of: kept.path)
      )
      names.insert(String(name))
      if line.contains("--detail network") {
        #expect(found == expected, "\(line)")
      } else {
        // Graphviz decides where things lie.
        #expect(words(found) == words(expected), "\(line)")
      }
      #expect(readme.contains("](Sources/Drawing/Drawing.docc/Resources/\(name))"), "\(name)")
    }
    #expect(names == ["squared-error.svg", "network.svg"])
  }

  /// The texts and shapes of an SVG file, without coordinates.
  private func words(_ bytes: [UInt8]) -> [String] {
    let text = String(decoding: bytes, as: UTF8.self)
    let words = text.matches(of: /<text[^>]*>([^<]+)</).map { String($0.output.1) }
    let shapes = text.matches(of: #/<(ellipse|polygon|path) /#).map { String($0.output.1) }
    return (words + shapes).sorted()
  }
}
