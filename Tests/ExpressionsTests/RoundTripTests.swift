import Expressions
import Graphs
import TestSupport
import Testing

@Suite("Expression to graph to expression to graph")
struct RoundTripTests {
  /// An expression, its shapes, and how it is written.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let shapes: [String]
    let written: String

    init(_ text: String, _ shapes: [String] = [], _ written: String? = nil) {
      (testDescription, self.shapes, self.written) = (text, shapes, written ?? text)
    }
  }

  static let linear = ["x=batch,3", "W=2,3", "b=2", "y=batch,2"]
  static let cases: [Case] = [
    Case("||(x1*θ1 + x2*θ2) - y||^2", [], "‖x1*θ1 + x2*θ2 - y‖^2"),
    Case("‖W*x + b − y‖²", linear, "‖W*x + b - y‖^2"),
    Case("-x'*θ[y] + logsumexp(θ*x)", ["x=batch,784", "theta=10,784"]),
    Case("−xᵀ·θ[y] + log(Σ(exp(θ·x)))", ["x=batch,7", "θ=3,7"], "-x'*θ[y] + log(sum(exp(θ*x)))"),
    Case(
      "let h = relu(W1*x + b1)\ncross_entropy(W2*h + b2, y)",
      ["x=batch,4", "W1=5,4", "b_1=5", "W₂=3,5", "b2=3"],
      "cross_entropy(W2*relu(W1*x + b1) + b2, y)"),
    Case(
      "−xᵀ·θ[y] + log Σ exp(θ·x)", ["x=batch,7", "θ=3,7"], "-x'*θ[y] + log(sum(exp(θ*x)))"),
    Case("θ[2]'*x - θ[0][1]*x[2]", ["x=batch,3", "θ=4,3"]),
    Case("A[1]*v", ["A=batch,2,3", "v=batch"], "A[1]*v"),
    Case("∑ x.*v + s", ["x=batch,3", "v=3"], "x'*v + s"),
    Case("3.**1.5 + 3.*1.5", [], "3^1.5 + 3*1.5"),
    Case("√x^2*y - √(x)^2", [], "sqrt(x^2)*y - sqrt(x)^2"),
    Case("x'*Σ*x + Sigma_1", ["x=3", "Σ=3,3"], "(Σ'*x)'*x + Σ1"),
    Case("‖x*|s|‖ + ||x*|s|||", ["x=3"], "let z1 = ‖x*abs(s)‖\nz1 + z1"),
    Case("𝜃₁ − µ⋅ϕ ∕ 𝐖", [], "θ1 - μ*φ/W"),
    Case("x^⊤*W^T*x\u{200B}", ["x=3", "W=3,3"], "(W*x)'*x"),
    Case("x*θ - y", ["x=batch,3", "θ=3", "y=batch"], "x'*θ - y"),
    Case("x^T*W", ["x=batch,3", "W=3,2"], "W'*x"),
    Case("x*W", ["x=batch,3", "W=3,2"], "W'*x"),
    Case("W'*x", ["x=3", "W=3,2"]),
    Case("A*B'*A", ["A=2,3", "B=2,3"]),
    Case("u*v'", ["u=3", "v=batch,2"]),
    Case("s*v + v/s", ["s=batch", "v=3"]),
    Case("2*x - -3*x + x*4", [], "2*x - (-3*x) + 4*x"),
    Case("-x^2 + (-x)^2 - 2^-x", [], "let z1 = -x\n-x^2 + z1^2 - exp(z1*log(2))"),
    Case("a - (b - c) - d"), Case("a/(b/c)/d"), Case("a/(b*c)*d"),
    Case("a*-b*c + 2^-3*x - -x^2 * y", [], "a*(-b)*c + 2^-3*x - (-x^2*y)"),
    Case("(-x)*y - -2*x - (-2)^3", [], "(-x)*y - (-2*x) - (-2)^3"), Case("-a*b/c"),
    Case("-inf*x + `exp`"), Case("|a - |b||", [], "abs(a - abs(b))"),
    Case("-(-x)"), Case("-(2*x)"), Case("-(a + b)"), Case("(a + b)^3"), Case("(a^2)^3"),
    Case("x .* x ./ exp(x).^3 - x.^0.5", ["x=batch,3"]),
    Case("sqrt(x) + |y - 1| + max(x, 0)", [], "sqrt(x) + abs(y - 1) + max(x, 0)"),
    Case("‖b‖ + ‖‖a‖ - c‖^3", ["a=3", "b=batch,3"]),
    Case("mean(sigmoid(x)) + sum(tanh(softmax(x)))", ["x=batch,3"]),
    Case("z[y] + cross_entropy(z, y)", ["z=batch,5"]),
    Case("cross_entropy(z, y)", ["z=5"], "logsumexp(z) - z[y]"),
    Case("b[y]", ["b=4", "y=batch"]),
    Case("1e-7*x + 1.5e300 + .25", [], "1e-07*x + 1.5e+300 + 0.25"),
    Case("2*3", [], "2*3"), Case("-1*2", [], "-1*2"), Case("2", []), Case("x", []),
    Case("let a = x + 1; a .* a", ["x=batch,2"], "let z1 = x + 1\nz1 .* z1"),
    Case("x\nx + 1\ny", [], "x\nx + 1\ny"),
    Case("`layer 1/weight` * x", [], "`layer 1/weight`*x"),
    Case("θ₁ + theta1 + θ_1 + alpha_i", [], "θ1 + θ1 + θ1 + α_i"),
    Case("sum(x, [0]) + scale(y, 2, -1)", ["x=batch"], "sum(x, [0]) + scale(y, 2, -1)"),
    Case("reshape(x, [batch, 1, 3]) + broadcast(fill(2, [3]), [1, 3])", ["x=batch,3"]),
    Case("A*x", ["A=batch,2,3", "x=batch,3"], "sum(multiply(A, reshape(x, [batch, 1, 3])), [2])"),
  ]

  @Test("gives the same graph, and the expected text", arguments: cases)
  func handMade(_ test: Case) throws {
    let formula = try Formula(test.testDescription, declarations(test.shapes))
    formula.graph.verify()
    #expect(try reread(formula).isIdentical(to: formula), "\(formula)")
    #expect(formula.text() == test.written)
  }

  @Test("of every operation as it is")
  func samples() throws {
    for sample in try operationSamples() {
      guard OperationKind(sample.graph[sample.output].operation) != .labels else { continue }
      let formula = Formula(of: [sample.output], in: sample.graph)
      #expect(try reread(formula).isIdentical(to: formula), "\(sample): \(formula)")
    }
  }

  @Test("of random graphs and their gradients", arguments: 0..<1000)
  func randomGraphs(seed: Int) throws {
    let random = try RandomGraph(seed: seed, batch: 2)
    for outputs in [random.values, random.gradients] {
      let formula = Formula(of: outputs, in: random.graph)
      #expect(try reread(formula).isIdentical(to: formula), "\(random): \(formula)")
    }
  }

  @Test("of random expressions and their gradients", arguments: 0..<100)
  func randomExpressions(seed: Int) throws {
    for index in 0..<50 {
      var random = RandomExpression(seed: "\(seed) \(index)")
      let text = random.text()
      let formula = try Formula(text, RandomExpression.declarations)
      let again = try reread(formula)
      #expect(again.isIdentical(to: formula), "\(text) became \(formula)")
      #expect(again.text() == formula.text())
      let gradient = try formula.gradient()
      #expect(try reread(gradient).isIdentical(to: gradient), "\(text): \(gradient)")
    }
  }
}
