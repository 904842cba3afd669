import Expressions
import Foundation
import Graphs
import Tensors
import Testing

@Suite("Formulas")
struct FormulaTests {
  @Test("the example of the documentation runs: an expression, its value and its gradient")
  func documentedExample() throws {
    let loss = try Formula(
      "‖W*x + b − y‖^2",
      Declarations(shapes: ["x": [.batch, 3], "y": [.batch, 2], "W": [2, 3], "b": [2]]))
    let gradient = try loss.gradient(withRespectTo: ["W", "b"])
    let values = [
      "x": Tensor(shape: [2, 3], values: [1, 2, 3, 0, 1, -1]),
      "y": Tensor(shape: [2, 2], values: [1, 0, 2, 2]),
      "W": Tensor(shape: [2, 3], values: [1, 0, 0, 0, 1, 0]),
      "b": Tensor(shape: [2], values: [0.5, -1]),
    ]
    // Residuals: [0.5, 1] and [−1.5, −2].
    #expect(try loss.evaluate(with: values)[0].values == [1.25, 6.25])
    let computed = try gradient.evaluate(with: values)
    #expect(computed[0].values == [1, -1, 6, 2, 0, 10])
    #expect(computed[1].values == [-2, -2])
  }

  @Test("the operators of Swift write the same formula")
  func terms() throws {
    let (x, y) = (Term("x", [.batch, 3]), Term("y", [.batch, 2]))
    let (W, b) = (Term("W", [2, 3]), Term("b", [2]))
    let written = try formula("‖W*x + b − y‖^2", "x=batch,3", "y=batch,2", "W=2,3", "b=2")
    #expect(try Formula(norm(W * x + b - y).squared).isIdentical(to: written))
    let labels = Term("labels", [.batch])
    let logistic = try Formula(-x.transposed * W[labels] + 2 * sum(exp(x ./ 2)))
    #expect(logistic.text() == "(-x)'*W[labels] + 2*sum(exp(x/2))")
    let error = #expect(throws: ExpressionError.self) { try Formula(W * b) }
    #expect(error?.description.contains("the summed axis has 3 on the left and 2") == true)
  }

  @Test("a value per row is what the expression gives for that row alone")
  func rowsAreIndependent() throws {
    let texts = [
      "W*x + b", "x'*θ + c", "x'*v*x", "x*v'", "A*x", "x'*A", "A*A' + B", "c*x + x/c",
      "sum(A)",
      "θ[y]*c", "x[y]", "A*v", "B*A", "max(c, x)", "‖A‖^3",
    ]
    let shapes: [String: [Int]] = [
      "x": [3], "c": [], "A": [3, 3], "W": [2, 3], "b": [2], "θ": [3], "v": [3], "B": [3, 3],
      "y": [],
    ]
    for text in texts {
      let used = shapes.filter { name, _ in text.contains(name) }
      let batched: Set = ["x", "c", "A", "y"]
      let rows = try Formula(
        text,
        Declarations(
          shapes: used.reduce(into: [:]) { result, symbol in
            let row = symbol.value.map(Extent.fixed)
            result[symbol.key] = SymbolicShape(
              (batched.contains(symbol.key) ? [.batch] : []) + row)
          }))
      let one = try Formula(
        text, Declarations(shapes: used.mapValues { SymbolicShape($0.map(Extent.fixed)) }))
      let values = try rows.randomValues(seed: 3, batch: 4)
      let all = try rows.evaluate(with: values, batch: 4)[0]
      for row in 0..<4 {
        let own = values.reduce(into: [String: Tensor]()) { result, value in
          guard batched.contains(value.key) else { return result[value.key] = value.value }
          let count = value.value.values.count / 4
          result[value.key] = Tensor(
            shape: Shape(Array(value.value.shape.extents.dropFirst())),
            values: Array(value.value.values[row * count..<(row + 1) * count]))
        }
        let alone = try one.evaluate(with: own)[0]
        let count = alone.values.count
        for (a, b) in zip(all.values[row * count..<(row + 1) * count], alone.values) {
          #expect(isClose(a, b), "\(text)")
        }
      }
    }
  }

  @Test("a program is read as the same formula, with its gradient too")
  func programs() throws {
    let loss = try formula(
      "cross_entropy(W2*relu(W1*x + b1), y)", "x=batch,4", "W1=5,4", "b1=5", "W2=3,5")
    for formula in [loss, try loss.withGradient()] {
      let again = try Formula(formula.program(), Declarations(leavesOf: formula.graph))
      #expect(again.isIdentical(to: formula))
    }
    #expect(
      try formula("‖W*x‖^2", "x=batch,4", "W=5,4").program(naming: ["loss"]) == """
        # data x [batch, 4]
        # parameter W [5, 4]
        v1 = matmul_nt(x, W)        # [batch, 5]
        v2 = squared_norm(v1, [1])  # [batch]
        v2                          # loss
        """)
  }

  @Test("LaTeX sets Greek letters, subscripts, fractions and norms")
  func latex() throws {
    #expect(
      try formula("||x1*θ1 - y||^2/(2*n) + sqrt(alpha_max)*exp(-s)").text(.latex)
        == "\\frac{{\\left\\lVert x_{1} \\, \\theta_{1} - y\\right\\rVert}^{2}}{2 \\, n} + "
        + "\\sqrt{\\alpha_{\\mathrm{max}}} \\, \\exp\\left(-s\\right)")
    #expect(
      try formula("-x'*θ[y] + logsumexp(θ*x)", "x=batch,4", "θ=3,4").text(.latex)
        == "-{x}^{\\top} \\, {\\theta}_{y} + \\operatorname{logsumexp}\\left(\\theta \\, x\\right)")
  }

  @Test("JSON holds every node, and strings are escaped")
  func json() throws {
    let text = try formula("`a\"\\b`*2 + sum(x, [0])", "x=batch").json(naming: ["value"])
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let nodes = try #require(object["nodes"] as? [[String: Any]])
    #expect(nodes.map { $0["operation"] as? String } == ["data", "scale", "data", "sum", "add"])
    #expect(nodes[0]["name"] as? String == "a\"\\b")
    #expect(nodes[2]["shape"] as? [String] == ["batch"])
    #expect(nodes[4]["inputs"] as? [Int] == [1, 3])
  }

  @Test("gradients of expressions agree with central differences at random values")
  func gradients() throws {
    let formulas = [
      try formula("||(x1*θ1 + x2*θ2) - y||^2"),
      try formula("-x'*θ[y] + logsumexp(θ*x)", "x=batch,5", "θ=3,5"),
      try formula(
        "let h = tanh(W1*x + b1)\ncross_entropy(W2*h + b2, y)", "x=batch,4", "W1=5,4", "b1=5",
        "W2=3,5", "b2=3"),
      try formula("sum(log(sqrt(x) + x.^1.5) ./ max(x, v))", "x=batch,5", "v=5"),
      try formula("‖A*A'*v‖ + x'*A*v", "A=batch,3,3", "x=batch,3", "v=3"),
    ]
    for formula in formulas {
      let check = try formula.checkGradient(batch: 3, options: GradientCheckOptions())
      #expect(check.passes, "\(formula): \(String(describing: check.worst))")
    }
  }

  @Test("gradients read as people write them")
  func readableGradient() throws {
    #expect(
      try formula("||(x1*θ1 + x2*θ2) - y||^2").gradient().text() == """
        let z1 = 2*(x1*θ1 + x2*θ2 - y)
        z1*x1
        z1*x2
        """)
    #expect(
      try formula("x'*θ", "x=batch,3", "θ=3").gradient().text() == "sum(x, [0])")
  }

  @Test("derivatives of more elements than memory holds are not checked")
  func tooLarge() throws {
    let found = try formula("exp(x)", "x=batch,100000,10000")
    let error = #expect(throws: GraphError.self) {
      try found.checkDerivatives(batch: 4, options: GradientCheckOptions())
    }
    #expect(
      error?.description == "check of derivatives: found 8000000000 elements, expected at most "
        + "1073741824")
  }

  @Test("parameters are Greek names and names that begin with W or b, unless told otherwise")
  func parameters() throws {
    #expect(try formula("W*x + b1 + θ + alpha + c").parameters == ["W", "b1", "θ", "α"])
    // Letters side by side, and behind plain digits, are one name; so is anything between backquotes.
    #expect(try formula("xy + αβ + Δx + conv2d + h1_θ").parameters == ["αβ", "Δx"])
    #expect(try formula("`x1θ1` + θ1").text() == "`x1θ1` + θ1")
    #expect(try formula("θ_y'*x", "θ_y=3", "x=3").text() == "θ_y'*x")
    let told = try Formula("W*x + c", Declarations(parameters: ["c", "x"]))
    #expect(told.parameters == ["x", "c"])
  }
}
