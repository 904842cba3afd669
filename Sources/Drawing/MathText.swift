// Text as mathematics sets it: italic letters, subscripts, superscripts; and its form in each language.

/// A line of text with italic letters, subscripts and superscripts.
package struct MathText: Hashable, ExpressibleByStringLiteral {
  enum Style: Hashable { case upright, italic, bold, lower, upper }
  struct Run: Hashable {
    var style: Style
    var text: String
  }

  var runs: [Run]

  init(_ runs: [Run]) { self.runs = runs }
  init(_ text: String, _ style: Style = .upright) {
    runs = text.isEmpty ? [] : [Run(style: style, text: text)]
  }
  package init(stringLiteral value: String) { self.init(value) }

  static func + (lhs: MathText, rhs: MathText) -> MathText { MathText(lhs.runs + rhs.runs) }

  /// The text with a character replaced wherever it stands.
  func replacing(_ mark: Character, with text: MathText) -> MathText {
    MathText(
      runs.flatMap { run in
        let parts = run.text.split(separator: mark, omittingEmptySubsequences: false)
        return parts.enumerated().flatMap { index, part in
          (index > 0 ? text.runs : []) + MathText(String(part), run.style).runs
        }
      })
  }

  /// The number of characters, whatever their size.
  var length: Int { runs.reduce(0) { $0 + $1.text.count } }

  /// The text in Unicode alone: subscripts where Unicode has them, else behind a mark.
  package var plain: String {
    runs.map { run in
      switch run.style {
      case .upright, .italic, .bold: visible(run.text)
      case .lower: raised(run.text, subscripts) ?? "_" + visible(run.text)
      case .upper: raised(run.text, superscripts) ?? "^" + visible(run.text)
      }
    }.joined()
  }

  /// The text in the HTML-like language of Graphviz.
  var html: String {
    runs.map { run in
      // SVG drops plain spaces at the ends of a text, and Graphviz makes a text of every run.
      let text = escapedXML(visible(run.text)).replacing(" ", with: "\u{A0}")
      switch run.style {
      case .upright: return text
      case .italic: return "<I>\(text)</I>"
      case .bold: return "<B>\(text)</B>"
      // Characters of their own are read right by every viewer; <SUB> is not.
      case .lower:
        return raised(run.text, subscripts)
          ?? "<SUB><FONT POINT-SIZE=\"9\">\(text)</FONT></SUB>"
      case .upper:
        return raised(run.text, superscripts)
          ?? "<SUP><FONT POINT-SIZE=\"9\">\(text)</FONT></SUP>"
      }
    }.joined()
  }

  /// The text as spans of an SVG `text` element.
  var svg: String {
    runs.map { run in
      let text = escapedXML(visible(run.text))
      switch run.style {
      case .upright: return text
      case .italic: return "<tspan font-style=\"italic\">\(text)</tspan>"
      case .bold: return "<tspan font-weight=\"bold\">\(text)</tspan>"
      case .lower:
        return raised(run.text, subscripts) ?? shiftedSVG(text, by: 0.3)
      case .upper:
        return raised(run.text, superscripts) ?? shiftedSVG(text, by: -0.4)
      }
    }.joined()
  }

  /// A small span off the line; the empty span after it, a zero-width space, goes back to the line.
  private func shiftedSVG(_ text: String, by shift: Double) -> String {
    "<tspan font-size=\"70%\" dy=\"\(shift)em\">\(text)</tspan>"
      + "<tspan font-size=\"70%\" dy=\"\(-shift)em\">\u{200B}</tspan>"
  }
}

/// Replaces characters that XML cannot hold or that break a line by marks that fonts have.
///
/// A name longer than 40 characters keeps its beginning.
func visible(_ text: String) -> String {
  var result = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0x0A: result.append("↵")
    case 0..<0x20, 0x7F: result.append("\u{FFFD}")
    // Line and paragraph separators, marks that turn the direction, and what XML forbids.
    case 0x80..<0xA0, 0x2028...0x202E, 0x2066...0x2069, 0xFFFE, 0xFFFF: result.append("\u{FFFD}")
    default: result.append(scalar)
    }
  }
  let text = String(result)
  return text.count <= 40 ? text : text.prefix(39) + "…"
}

/// Replaces the characters that mean something to XML.
func escapedXML(_ text: String) -> String {
  var result = ""
  for character in text.unicodeScalars {
    switch character {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    // Graphviz moves a bracket at the end of a line to the next.
    case "]": result += "&#93;"
    default: result.unicodeScalars.append(character)
    }
  }
  return result
}

/// The same text in raised or lowered characters, if all of it has them.
private func raised(_ text: String, _ characters: [Character: Character]) -> String? {
  var result = ""
  for character in text {
    guard let raised = characters[character] else { return nil }
    result.append(raised)
  }
  return result
}

// Digits and signs alone: fonts have these, and few of the letters.
private let subscripts = [Character: Character](
  uniqueKeysWithValues: zip("0123456789+-=(),", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎,"))
private let superscripts = [Character: Character](
  uniqueKeysWithValues: zip("0123456789+-=()T", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵀ"))
