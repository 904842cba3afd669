import Expressions
import Graphs
import Testing

@Suite("Errors of expressions")
struct ErrorTests {
  /// An expression, its shapes, and what is printed.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let shapes: [String]
    let message: String
    /// The character, and the column of a terminal below which the caret stands.
    let caret: Int
    let column: Int
    let details: [String]

    init(_ text: String, _ message: String, at caret: Int, column: Int? = nil) {
      self.init(text, [], message, at: caret, column: column)
    }

    init(
      _ text: String, _ shapes: [String], _ message: String, at caret: Int,
      _ details: [String] = [], column: Int? = nil
    ) {
      (testDescription, self.shapes, self.message) = (text, shapes, message)
      (self.caret, self.column, self.details) = (caret, column ?? caret, details)
    }
  }

  static let cases: [Case] = [
    Case("", "found nothing, expected an expression", at: 1),
    Case("# only a remark", "found nothing, expected an expression", at: 16),
    Case("W*x + b)", "found ')', expected an operator", at: 8),
    Case("(W*x + b", "found the end, expected an operator or ')'", at: 9),
    Case("a + * b", "found '*', expected a name, a number or an opening bracket", at: 5),
    Case("2x", "found 'x', expected an operator; a product is written with '*'", at: 2),
    Case("2(x)", "found '(', expected an operator; a product is written with '*'", at: 2),
    Case(
      "y - x1θ1", "found 'x1θ1', expected one name; a product is written with '*': x1*θ1", at: 5),
    Case("x₁x₂", "found 'x₁x₂', expected one name; a product is written with '*': x₁*x₂", at: 1),
    Case("θ₁x", "found 'θ₁x', expected one name; a product is written with '*': θ₁*x", at: 1),
    Case(
      "theta1x1", "found 'theta1x1', expected one name; a product is written with '*': theta1*x1",
      at: 1),
    Case(
      "x1theta1θ2",
      "found 'x1theta1θ2', expected one name; a product is written with '*': x1*theta1*θ2", at: 1),
    Case("x²y", "found 'y', expected an operator; a product is written with '*'", at: 3),
    Case(
      "θ_y'*x",
      "transpose: 'θ_y' is a name of its own, of a scalar as no shape is declared; the row of θ that y "
        + "names is θ[y]", at: 4),
    Case("2√x", "found '√', expected an operator; a product is written with '*'", at: 2),
    Case("rleu(x)", "unknown function 'rleu'; did you mean 'relu'?", at: 1),
    Case("exp x", "'exp' is a function, expected '(' after it", at: 4),
    Case("norm(x, y)", "'norm': found 2 arguments, expected 1", at: 1),
    Case("a $ b", "found '$', expected a name, a number or an operator", at: 3),
    Case("a \u{0} b", "found U+0000, expected a name, a number or an operator", at: 3),
    Case("a \u{FFFD} b", "found '\u{FFFD}', expected a name, a number or an operator", at: 3),
    Case(
      "θ[2.5]", ["θ=4"], "index: found 2.5, expected 0 ..< 4", at: 2,
      ["found: θ, a column of shape [4]"]),
    Case(
      "θ[4]", ["θ=4,3"], "index: found 4, expected 0 ..< 4", at: 2,
      ["found: θ, a matrix of shape [4, 3]"]),
    Case(
      "θ[-1]", ["θ=4"], "index: found -1, expected 0 ..< 4", at: 2,
      ["found: θ, a column of shape [4]"]),
    Case(
      "θ[x+1]", "index: expected a whole number or a name of labels, such as θ[2] or θ[y]", at: 2),
    Case("||x|", "found '|', expected an operator or '||'", at: 4),
    Case("(a, b)", "found ',', expected an operator or ')'", at: 3),
    Case("1e999", "found '1e999', expected a number of double precision", at: 1),
    Case("let = 3", "found '=', expected 'name =' after 'let'", at: 5),
    Case("let x = 2; x + 1; let x = 3", "'x' has a value already, expected another name", at: 23),
    Case("let x = [1]", "found a list, expected a value; lists are for shapes and axes", at: 5),
    Case(
      "y + sum(x, [0.5])",
      "'sum': found [0.5] after its operands, expected a list of axes such as [0, 1]", at: 5),
    Case(
      "1 + W*x", ["W=10,784", "x=batch,100"],
      "'*': the summed axis has 784 on the left and 100 on the right", at: 6,
      [
        "left:  W, a matrix of shape [10, 784]", "right: x, a column of shape [batch, 100]",
      ]),
    Case(
      "tanh(W*x + b) + v", ["W=10,4", "x=batch,4", "b=10", "v=3"], "'+': expected equal shapes",
      at: 15,
      [
        "left:  tanh(W*x + b), a column of shape [batch, 10]", "right: v, a column of shape [3]",
      ]),
    Case(
      "v + v'", ["v=2"], "'+': expected equal shapes; one of the operands is transposed", at: 3,
      ["left:  v, a column of shape [2]", "right: v', a row of shape [2]"]),
    Case(
      "v^2", ["v=2"],
      "'^': expected a scalar on the left; '.^' raises element by element", at: 2,
      ["left:  v, a column of shape [2]"]),
    Case(
      "matmul(A, B)", ["A=2,3", "B=2,3"],
      "matmul: operands disagree on the summed axis (3 and 2): [2, 3] and [2, 3]", at: 1,
      ["operand 1: A, a matrix of shape [2, 3]", "operand 2: B, a matrix of shape [2, 3]"]),
    Case(
      "变 + 量 + é́ + )", "found ')', expected a name, a number or an opening bracket", at: 13,
      column: 15),
    Case("a\t+ 👍🏽", "found '👍🏽', expected a name, a number or an operator", at: 5),
  ]

  @Test("point at the place and say what was expected", arguments: cases)
  func message(_ test: Case) throws {
    let declarations = try declarations(test.shapes)
    let error = try #require(throws: ExpressionError.self) {
      try Formula(test.testDescription, declarations)
    }
    #expect(error.message == test.message)
    #expect(error.column == test.caret)
    #expect(error.details == test.details)
    let lines = error.description.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3 + test.details.count)
    #expect(lines[2] == String(repeating: " ", count: test.column - 1) + "^")
    #expect(lines.dropFirst().allSatisfy { $0.count <= 100 })
  }

  @Test("declarations are refused by name")
  func declared() {
    func refusal(_ shapes: [String], _ parameters: String? = nil) -> String? {
      #expect(throws: ExpressionError.self) {
        try Formula("x + theta1 + W[y]", Declarations(shapes: shapes, parameters: parameters))
      }?.description
    }
    #expect(refusal(["z=3", "W=4"]) == "'z' is declared, but the expression has only W x y θ1")
    #expect(refusal(["x=0"]) == "--shape: found 'x=0', expected one such as x=batch,784")
    #expect(refusal(["x"]) == "--shape: found 'x', expected one such as x=batch,784")
    #expect(refusal(["=3"]) == "--shape: found '' in '=3', expected a name")
    #expect(refusal(["2x=3"]) == "--shape: found '2x' in '2x=3', expected a name")
    #expect(
      refusal(["x=99999999999999999999"])
        == "--shape: found 'x=99999999999999999999', expected one such as x=batch,784")
    #expect(
      refusal(["theta1=3", "θ₁=4"]) == "--shape: 'θ1' has a shape already; found 'θ₁=4' too")
    #expect(refusal([], "W,,x") == "--parameters: found '' in 'W,,x', expected a name")
    #expect(refusal([], "") == "--parameters: found '' in '', expected a name")
    #expect(refusal([], "W, theta_1, θ1") == "--parameters: found 'θ1' twice")
    #expect(refusal(["W=4"], "z") == "'z' is declared, but the expression has only W x y θ1")
    #expect(
      refusal(["W=3"], "y")?.hasPrefix(
        "line 1, column 16: 'y' holds class numbers, expected numbers of a parameter") == true)
    #expect(throws: Never.self) {
      try Formula(
        "x + theta1 + W[y]",
        Declarations(shapes: [" x = batch , 3 ", "W=4", "θ_1="], parameters: " θ1 , W "))
    }
  }

  @Test("are of the line that is wrong")
  func lines() throws {
    let error = try #require(throws: ExpressionError.self) {
      try Formula("let a = b # remark\n  a ++ c )\nd")
    }
    #expect(
      error.description == """
        line 2, column 10: found ')', expected an operator
          a ++ c )
                 ^
        """)
  }

  @Test("a long line is shown around the fault")
  func longLine() throws {
    let text = String(repeating: "a + ", count: 100) + ")" + String(repeating: " + a", count: 100)
    let error = try #require(throws: ExpressionError.self) { try Formula(text) }
    let lines = error.description.split(separator: "\n")
    #expect(lines[1].count == 100 && lines[2].count == 61)
  }

  /// Texts of many parts, in all directions that nest.
  static let long: [(name: String, begin: String, middle: String, end: String)] = [
    ("parentheses", "(", "x", ")"), ("norms", "‖", "x", "‖"), ("signs", "-", "x", ""),
    ("roots", "√", "x", ""), ("sums", "∑ ", "x", ""), ("terms", "x+", "x", ""),
    ("products", "x*", "x", ""), ("powers", "x^", "x", ""), ("transposes", "", "x", "'"),
    ("calls", "exp(", "x", ")"), ("indices", "b[", "y", "]"), ("bars", "|", "x", "|"),
    ("lines", "x + 1\n", "x", ""), ("reshapes", "reshape(", "x", ", [1])"),
    ("lets", "let h = x;", "x", ""), ("lists", "sum(x, [", "0", ", 0])"),
  ]

  @Test(
    "a hundred thousand parts, and a million parentheses, neither overflow the stack nor take quadratic time",
    arguments: long)
  func deepNesting(_ text: (name: String, begin: String, middle: String, end: String)) {
    let count = text.name == "parentheses" ? 1_000_000 : 100_000
    let full =
      String(repeating: text.begin, count: count) + text.middle
      + String(repeating: text.end, count: count)
    let clock = ContinuousClock()
    let time = clock.measure {
      // What one of these is refused for is another test; here both answers do.
      if let formula = try? Formula(full) { #expect(!formula.text().isEmpty, "\(text.name)") }
      if text.begin.hasSuffix("(") {
        #expect(throws: ExpressionError.self) { try Formula(String(full.dropLast())) }
      }
    }
    #expect(time < .seconds(60), "\(text.name)")
  }

  @Test("long expressions come back from their texts")
  func longRoundTrip() throws {
    for text in ["-", "√", "x^", "x + ", "exp(x)*"] {
      let formula = try Formula(String(repeating: text, count: 20_000) + "x")
      #expect(try reread(formula).isIdentical(to: formula), "\(text)")
    }
    let chain = (1..<20_000).map { "let h\($0) = tanh(h\($0 - 1)*θ) + h\($0 - 1)" }
    let formula = try Formula(chain.joined(separator: "\r\n") + "\r\nh19999^2")
    #expect(try reread(formula).isIdentical(to: formula))
    #expect(try reread(formula.gradient()).isIdentical(to: formula.gradient()))
  }

  @Test("text that nobody would write is refused or read, never a crash")
  func noise() {
    let pieces = [
      "x", "W", "2", "(", ")", "[", "]", "||", "|", "'", "^", "*", "+", "-", ",", ";", "\n", "exp",
      "sum", "reshape", "batch", "let", "=", "@", "`", "²", ".*", "[batch, 3]", "fill", "θ[y]",
      "1e", "√", "∑", "Σ", "log", "max", "θ[2]", "\r\n", "\t", "\u{0}", "^T", "‖", "b[",
      "scale(", "constant(", "[1, 2]", "@softmax", "gather(", "1e300",
    ]
    var state: UInt64 = 1
    for _ in 0..<20_000 {
      var text = ""
      for _ in 0..<12 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += pieces[Int(state >> 33) % pieces.count]
      }
      guard let formula = try? Formula(text) else { continue }
      formula.graph.verify()
    }
  }
}
