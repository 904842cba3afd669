// Shapes and formulas that several suites use.
import Expressions
import Graphs
import Testing

/// Reads `text` with shapes such as `x=batch,3`.
func formula(_ text: String, _ shapes: String...) throws -> Formula {
  try Formula(text, declarations(shapes))
}

/// Declarations from shapes such as `x=batch,3`.
func declarations(_ shapes: [String]) throws -> Declarations {
  try Declarations(shapes: shapes, parameters: nil)
}

/// Reads the text of a formula again.
func reread(_ formula: Formula) throws -> Formula {
  try Formula(formula.text(), Declarations(leavesOf: formula.graph))
}
