import Expressions
import Graphs
import Testing

@Suite("Errors of expressions")
struct ErrorTests {
  /// An expression, its shapes, and the three lines that are printed.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let shapes: [String]
    let message: String
    let caret: Int

    init(_ text: String, _ message: String, at caret: Int) {
      self.init(text, [], message, at: caret)
    }

    init(_ text: String, _ shapes: [String], _ message: String, at caret: Int) {
      (testDescription, self.shapes, self.message, self.caret) = (text, shapes, message, caret)
    }
  }

  static let cases: [Case] = [
    Case("", "found nothing, expected an expression", at: 1),
    Case("W*x + b)", "found ')', expected an operator", at: 8),
    Case("(W*x + b", "found the end, expected an operator or ')'", at: 9),
    Case("a + * b", "found '*', expected a name, a number or an opening bracket", at: 5),
    Case("2x", "found 'x', expected an operator", at: 2),
    Case("rleu(x)", "unknown function 'rleu'; did you mean 'relu'?", at: 1),
    Case("exp x", "'exp' is a function, expected '(' after it", at: 4),
    Case("max(x)", "'max': found 1 argument, expected 2", at: 1),
    Case("a $ b", "found '$', expected a name, a number or an operator", at: 3),
    Case("θ[2]", "found an index that is no name of labels, expected one such as θ[y]", at: 2),
    Case("||x|", "found '|', expected an operator or '||'", at: 4),
    Case("(a, b)", "found ',', expected an operator or ')'", at: 3),
    Case("1e999", "found '1e999', expected a number of double precision", at: 1),
    Case("let = 3", "found '=', expected 'name =' after 'let'", at: 5),
    Case("let x = 2; x + 1; let x = 3", "'x' has a value already, expected another name", at: 23),
    Case(
      "y + sum(x, [0.5])",
      "'sum': found [0.5] after its operands, expected a list of axes such as [0, 1]", at: 5),
    Case(
      "1 + W*x", ["W=10,784", "x=batch,100"],
      "'*': left is 'W', a matrix of shape [10, 784], right is 'x', a column of shape [batch, 100]: "
        + "the summed axis has 784 on the left and 100 on the right", at: 6),
    Case(
      "v + u", ["v=2", "u=3"],
      "'+': left is 'v', a column of shape [2], right is 'u', a column of shape [3], expected "
        + "equal shapes", at: 3),
    Case(
      "v + v'", ["v=2"],
      "'+': left is 'v', a column of shape [2], right is 'v', a row of shape [2], expected equal "
        + "shapes; one of them is transposed", at: 3),
    Case(
      "v^2", ["v=2"],
      "'^': left is 'v', a column of shape [2], expected a scalar; '.^' raises element by element",
      at: 2),
    Case("x + y", ["z=3"], "'z' is declared but not used; found x y", at: 1),
  ]

  @Test("point at the place and say what was expected", arguments: cases)
  func message(_ test: Case) throws {
    let declarations = try declarations(test.shapes)
    let error = try #require(throws: ExpressionError.self) {
      try Formula(test.testDescription, declarations)
    }
    #expect(error.message == test.message)
    #expect(error.column == test.caret)
    let lines = error.description.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3)
    #expect(lines.last?.count == test.caret)
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

  @Test("a million brackets, signs and powers do not overflow the stack", .timeLimit(.minutes(5)))
  func deepNesting() throws {
    let count = 1_000_000
    let brackets =
      String(repeating: "(", count: count) + "x" + String(repeating: ")", count: count)
    #expect(try Formula(brackets).text() == "x")
    #expect(throws: ExpressionError.self) { try Formula(String(brackets.dropLast())) }
    #expect(throws: ExpressionError.self) { try Formula(String(repeating: "exp(", count: count)) }
    let signs = try Formula(String(repeating: "-", count: 100_000) + "x")
    #expect(signs.graph.count == 100_001)
    #expect(try reread(signs).isIdentical(to: signs))
    let powers = try Formula(String(repeating: "x^", count: 10_000) + "x")
    #expect(try reread(powers).isIdentical(to: powers))
  }

  @Test("text that nobody would write is refused or read, never a crash")
  func noise() {
    let pieces = [
      "x", "W", "2", "(", ")", "[", "]", "||", "|", "'", "^", "*", "+", "-", ",", ";", "\n", "exp",
      "sum", "reshape", "batch", "let", "=", "@", "`", "²", ".*", "[batch, 3]", "fill", "θ[y]",
      "1e",
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
