// Names of symbols: one spelling for each, and which of them are parameters.
import Foundation

/// The spelling of names.
enum Names {
  /// Greek letters by their English names, without those that look like Latin ones.
  static let greek: [String: Character] = [
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ",
    "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
  ]

  /// Words with a meaning of their own.
  static let reserved: Set<String> = ["let", "batch", "inf", "nan"]

  /// The one spelling of a name: `theta1`, `θ₁`, `θ_1` and `θ1` are the same symbol.
  ///
  /// Letters set in another way (`𝜃`, `𝐖`, `ϕ`, `µ`) become plain ones and subscript digits become
  /// digits, an underscore before closing digits goes, and an English name of a Greek letter, alone or
  /// before digits or an underscore, becomes the letter.
  static func canonical(_ name: String) -> String {
    var characters = name.map { subscriptDigits[$0] ?? plainLetter($0) }
    if let underscore = characters.lastIndex(of: "_"), underscore > 0,
      underscore + 1 < characters.count, characters[(underscore + 1)...].allSatisfy(isDigit)
    {
      characters.remove(at: underscore)
    }
    let letters = String(characters.prefix { $0.isASCII && $0.isLetter })
    if let letter = greek[letters] {
      let rest = characters.dropFirst(letters.count)
      if rest.first.map({ isDigit($0) || $0 == "_" }) ?? true { return String(letter) + rest }
    }
    return String(characters)
  }

  /// The letter that one of a mathematical alphabet, or a variant of a Greek one, stands for.
  private static func plainLetter(_ letter: Character) -> Character {
    guard let scalar = letter.unicodeScalars.first, scalar.value >= 0x80,
      (0x1D400...0x1D7FF).contains(scalar.value) || "µϵϕϑϱϖϰ".contains(letter)
    else { return letter }
    return String(letter).precomposedStringWithCompatibilityMapping.first ?? letter
  }

  /// Returns true if a symbol of that name is a parameter by default.
  static func isParameter(_ name: String) -> Bool {
    guard let first = name.first else { return false }
    return first == "W" || first == "b" || isGreek(first)
  }

  static func isGreek(_ character: Character) -> Bool {
    character.unicodeScalars.first.map { (0x370...0x3FF).contains($0.value) } ?? false
  }

  static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

  /// Returns true if a character may begin a name.
  static func isStart(_ character: Character) -> Bool {
    (character.isLetter && !marksThatAreLetters.contains(character)) || character == "_"
      || character == "∂" || character == "∇"
  }

  /// Letters to Unicode that mathematics uses as marks.
  private static let marksThatAreLetters: Set<Character> = ["ᵀ", "ᵗ", "ǁ", "ˆ"]

  /// Returns true if a character may stand in a name.
  static func isPart(_ character: Character) -> Bool {
    isStart(character) || isDigit(character) || subscriptDigits[character] != nil
  }

  /// Returns true if a name can be written without quotes and is read as itself.
  static func isPlain(_ name: String) -> Bool {
    guard let first = name.first, isStart(first), name.allSatisfy(isPart) else { return false }
    return canonical(name) == name && !reserved.contains(name) && !Function.names.contains(name)
      && factors(of: name) == nil
  }

  /// The names that stand side by side in what looks like one, as factors do on paper; nil for one name.
  ///
  /// A letter behind digits begins another name if the digits are subscripts or if either name is Greek: `x1θ1`,
  /// `θ1x`, `x₁x₂`. Other letters behind digits, `conv2d`, and letters side by side, `xy` and `Δx`, are one name.
  static func factors(of name: String) -> [String]? {
    var parts: [String] = []
    var hasSubscript = false
    var last: Character?
    for character in name {
      let isLetter = character.isLetter && subscriptDigits[character] == nil
      let endsInSubscript = last.map { subscriptDigits[$0] != nil } ?? false
      if isLetter, endsInSubscript || last.map(isDigit) ?? true {
        hasSubscript = hasSubscript || endsInSubscript
        parts.append("")
      } else if parts.isEmpty {
        parts.append("")
      }
      parts[parts.count - 1].append(character)
      last = character
    }
    let hasGreek = parts.contains { canonical($0).first.map(isGreek) ?? false }
    return parts.count > 1 && (hasSubscript || hasGreek) ? parts : nil
  }

  private static let subscriptDigits: [Character: Character] = [
    "₀": "0", "₁": "1", "₂": "2", "₃": "3", "₄": "4", "₅": "5", "₆": "6", "₇": "7", "₈": "8",
    "₉": "9",
  ]
}
