// The typesetting of the names of leaves: theta1 as θ₁, affine1/weight as W₁.
package import Graphs

/// The letters of the leaves of a graph.
package struct LeafSymbols {
  /// A letter and its index.
  struct Symbol: Hashable {
    var base: String
    var index: String

    var text: MathText {
      MathText(base, base.count == 1 ? .italic : .upright) + MathText(index, .lower)
    }

    /// The symbol of one element: `W⁽¹⁾₂₃`.
    func element(_ indices: [Int]) -> MathText {
      guard !indices.isEmpty else { return text }
      let separator = indices.contains { $0 > 9 } ? "," : ""
      let lower = indices.map(String.init).joined(separator: separator)
      return MathText(base, base.count == 1 ? .italic : .upright)
        + MathText(index.isEmpty ? "" : "(\(index))", .upper)
        + MathText(lower, .lower)
    }
  }

  private var symbols: [String: Symbol] = [:]

  package init(_ graph: Graph) {
    let names = graph.nodes.filter { graph[$0].inputs.isEmpty }.compactMap { graph[$0].name }
    for name in names { symbols[name] = LeafSymbols.symbol(name, isShort: true) }
    // Two leaves must not share a symbol: whoever does gets a longer one.
    let counts = Dictionary(symbols.values.map { ($0, 1) }, uniquingKeysWith: +)
    for (name, symbol) in symbols where counts[symbol] ?? 0 > 1 {
      symbols[name] = LeafSymbols.symbol(name, isShort: false)
    }
  }

  func symbol(_ name: String) -> Symbol { symbols[name] ?? Symbol(base: name, index: "") }

  package func text(_ name: String) -> MathText { symbol(name).text }

  /// Reads a name: a path of layer and role, or a letter and its index.
  private static func symbol(_ name: String, isShort: Bool) -> Symbol {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty {
      let roles = ["weight": "W", "bias": "b", "scale": "γ", "shift": "β"]
      let digits = String(parts[0].reversed().prefix { $0.isASCII && $0.isNumber }.reversed())
      let index = isShort && !digits.isEmpty ? digits : parts[0]
      return Symbol(base: roles[parts[1]] ?? parts[1], index: index)
    }
    guard isShort else { return Symbol(base: name, index: "") }
    var base = name
    var index = ""
    if let mark = name.firstIndex(of: "_"), mark != name.startIndex {
      base = String(name[..<mark])
      index = String(name[name.index(after: mark)...])
    } else {
      index = String(name.reversed().prefix { $0.isASCII && $0.isNumber }.reversed())
      base = String(name.dropLast(index.count))
    }
    let letter = greek[base] ?? base
    // Words keep their digits: it is x₁, but relu1.
    guard letter.count == 1, letter.first?.isLetter == true, !index.isEmpty || letter != base
    else { return Symbol(base: name, index: "") }
    return Symbol(base: letter, index: index)
  }
}

private let greek: [String: String] = {
  let words = [
    "alpha α", "beta β", "gamma γ", "delta δ", "epsilon ε", "zeta ζ", "eta η", "theta θ",
    "kappa κ", "lambda λ", "mu μ", "nu ν", "xi ξ", "pi π", "rho ρ", "sigma σ", "tau τ", "phi φ",
    "chi χ", "psi ψ", "omega ω", "Gamma Γ", "Delta Δ", "Theta Θ", "Lambda Λ", "Xi Ξ", "Pi Π",
    "Sigma Σ", "Phi Φ", "Psi Ψ", "Omega Ω",
  ]
  return Dictionary(
    uniqueKeysWithValues: words.map { word in
      let parts = word.split(separator: " ")
      return (String(parts[0]), String(parts[1]))
    })
}()

/// A shape as pictures write it: `batch × 784`.
func shapeText(_ shape: SymbolicShape) -> MathText {
  shape.axisCount == 0
    ? "number" : MathText(shape.extents.map(\.description).joined(separator: " × "))
}

/// A number as short as it can be without loss; long ones to four digits.
package func numberText(_ value: Double) -> String {
  func short(_ value: Double) -> String {
    let text = "\(value)"
    return (text.hasSuffix(".0") ? String(text.dropLast(2)) : text).replacing("-", with: "−")
  }
  if value == 0 { return "0" }
  let text = short(value)
  guard text.count > 6 || text.contains("e"), value.isFinite else { return text }
  var exponent = 0
  var mantissa = abs(value)
  while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  var digits = (mantissa * 1000).rounded()
  if digits >= 10000 { (digits, exponent) = (digits / 10, exponent + 1) }
  let sign = value < 0 ? "−" : ""
  guard (-3...3).contains(exponent) else {
    return sign + short(digits / 1000) + "e" + short(Double(exponent))
  }
  var scale = 1.0
  for _ in 0..<3 - exponent { scale *= 10 }
  // One division of whole numbers: the nearest number, which prints as few digits as went in.
  return sign + short(digits / scale)
}

/// A count with marks between thousands.
func countText(_ count: Int) -> String {
  let digits = Array(String(count))
  return digits.enumerated().map { position, digit in
    (position > 0 && (digits.count - position) % 3 == 0 ? "," : "") + String(digit)
  }.joined()
}
