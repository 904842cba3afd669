// Sums that are followed with symbols in place of numbers.

import DataParallel
import Execution

/// A sum as it was added; its terms are elements of the gradients of microbatches.
indirect enum SymbolicSum: Equatable, CustomStringConvertible {
  case nothing
  case term(microbatch: Int, element: Int)
  case sum(SymbolicSum, SymbolicSum)

  var description: String {
    switch self {
    case .nothing: "nothing"
    case .term(let microbatch, _): "\(microbatch)"
    case .sum(let left, let right): "(\(left)+\(right))"
    }
  }

  /// The microbatches of the terms and their elements, in order.
  var terms: [(microbatch: Int, element: Int)] {
    switch self {
    case .nothing: []
    case .term(let microbatch, let element): [(microbatch, element)]
    case .sum(let left, let right): left.terms + right.terms
    }
  }

  /// Names what is wrong with `found`: microbatches that are missing or added twice, another element, or the
  /// first sum that is added in another order.
  static func fault(of found: SymbolicSum, expected: SymbolicSum) -> String? {
    guard found != expected else { return nil }
    let element = expected.terms.first?.element
    if let term = found.terms.first(where: { $0.element != element }) {
      return "element \(term.element) of microbatch \(term.microbatch) is added"
    }
    let (terms, wanted) = (found.terms.map(\.microbatch), expected.terms.map(\.microbatch))
    for term in wanted where !terms.contains(term) { return "microbatch \(term) is not added" }
    for term in terms where !wanted.contains(term) { return "microbatch \(term) has no rows" }
    for term in wanted where terms.count(where: { $0 == term }) > 1 {
      return "microbatch \(term) is added \(terms.count { $0 == term }) times"
    }
    guard case .sum(let left, let right) = found, case .sum(let first, let second) = expected,
      left.terms.map(\.microbatch) == first.terms.map(\.microbatch)
    else { return "found \(found), expected \(expected)" }
    return fault(of: left, expected: first) ?? fault(of: right, expected: second)
  }
}

/// Adds symbols: a number stands for a term or for a sum of two other numbers, 0 for nothing.
///
/// Equal sums have equal numbers. One thread at a time.
final class SymbolicArithmetic: SumArithmetic, @unchecked Sendable {
  private enum Symbol: Hashable {
    case term(microbatch: Int, element: Int)
    case sum(Int, Int)
  }

  private var symbols: [Symbol] = []
  private var numbers: [Symbol: Int] = [:]

  private func number(_ symbol: Symbol) -> Float {
    if let number = numbers[symbol] { return Float(number) }
    symbols.append(symbol)
    numbers[symbol] = symbols.count
    // The most that bfloat16 messages of symbols can hold.
    precondition(symbols.count < 1 << 16, "too many symbols")
    return Float(symbols.count)
  }

  /// The symbol of an element of a microbatch's gradient.
  func term(microbatch: Int, element: Int) -> Float {
    number(.term(microbatch: microbatch, element: element))
  }

  /// The symbol of a sum.
  func sum(_ left: Float, _ right: Float) -> Float { number(.sum(Int(left), Int(right))) }

  /// The sum that a symbol stands for.
  func meaning(of symbol: Float) -> SymbolicSum {
    guard symbol != 0 else { return .nothing }
    switch symbols[Int(symbol) - 1] {
    case .term(let microbatch, let element):
      return .term(microbatch: microbatch, element: element)
    case .sum(let left, let right):
      return .sum(meaning(of: Float(left)), meaning(of: Float(right)))
    }
  }

  func add(_ a: UnsafeMutablePointer<Float>, _ b: UnsafePointer<Float>, count: Int) {
    for i in 0..<count { a[i] = sum(a[i], b[i]) }
  }

  func copy(_ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int) {
    for i in 0..<count { c[i] = a[i] }
  }

  func encodeBFloat16(
    _ values: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into target: UnsafeMutablePointer<UInt16>, count: Int
  ) {
    for i in 0..<count { target[i] = UInt16(values[i]) }
  }

  func decodeBFloat16(
    _ source: UnsafePointer<UInt16>, into target: UnsafeMutablePointer<Float>, count: Int
  ) {
    for i in 0..<count { target[i] = Float(source[i]) }
  }
}
