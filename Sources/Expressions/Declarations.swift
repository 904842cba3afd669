// The symbols of an expression: their shapes, and which are parameters, data or labels.
public import Graphs

/// The declarations of symbols beside an expression.
public struct Declarations: Sendable {
  /// The shape of symbols; those without one are single numbers.
  public let shapes: [String: SymbolicShape]
  /// The parameters; nil for Greek names and names that begin with W or b.
  public let parameters: Set<String>?

  /// Creates declarations.
  ///
  /// - Parameters:
  ///   - shapes: The shape of symbols, a first extent ``Extent/batch`` for one value per row.
  ///   - parameters: The names of the parameters; without it they are told by their names.
  public init(shapes: [String: SymbolicShape] = [:], parameters: Set<String>? = nil) {
    self.shapes = Dictionary(
      shapes.map { (Names.canonical($0.key), $0.value) }, uniquingKeysWith: { a, _ in a })
    self.parameters = parameters.map { Set($0.map(Names.canonical)) }
  }

  /// The declarations that make an expression of a graph's leaves into those leaves again.
  ///
  /// - Parameter graph: The graph; names that expressions spell otherwise stay as they are.
  public init(leavesOf graph: Graph) {
    var shapes: [String: SymbolicShape] = [:]
    var parameters: Set<String> = []
    for node in graph.nodes {
      guard graph[node].inputs.isEmpty, let name = graph[node].name else { continue }
      shapes[name] = graph.shape(of: node)
      if graph[node].operation == .parameter { parameters.insert(name) }
    }
    self.shapes = shapes
    self.parameters = parameters
  }

  /// Reads declarations from options of a command line.
  ///
  /// - Parameters:
  ///   - shapes: Such as `x=batch,784`; nothing after the sign for a single number.
  ///   - parameters: Such as `θ1,θ2`; nil for Greek names and names that begin with W or b.
  /// - Throws: ``ExpressionError`` without a place, for what cannot be read or is there twice.
  public init(shapes: [String], parameters: String?) throws(ExpressionError) {
    var declared: [String: SymbolicShape] = [:]
    for text in shapes {
      guard let sign = text.firstIndex(of: "="),
        let shape = Declarations.shape(text[text.index(after: sign)...])
      else {
        throw ExpressionError("--shape: found '\(text)', expected one such as x=batch,784")
      }
      let name = try Declarations.name(text[..<sign], "--shape", text)
      guard declared.updateValue(shape, forKey: name) == nil else {
        throw ExpressionError("--shape: '\(name)' has a shape already; found '\(text)' too")
      }
    }
    guard let parameters else {
      self.init(shapes: declared)
      return
    }
    var names: Set<String> = []
    for word in parameters.split(separator: ",", omittingEmptySubsequences: false) {
      let name = try Declarations.name(word, "--parameters", parameters)
      guard names.insert(name).inserted else {
        throw ExpressionError("--parameters: found '\(name)' twice")
      }
    }
    self.init(shapes: declared, parameters: names)
  }

  /// The name of a symbol without spaces around it and backquotes, in its one spelling.
  private static func name(
    _ text: Substring, _ option: String, _ whole: String
  ) throws(ExpressionError) -> String {
    let name = text.trimmed
    if name.count > 2, name.first == "`", name.last == "`" {
      return String(name.dropFirst().dropLast())
    }
    guard let first = name.first, Names.isStart(first) || name.contains("/") else {
      throw ExpressionError("\(option): found '\(name)' in '\(whole)', expected a name")
    }
    return Names.canonical(String(name))
  }

  /// The shape of extents with commas between them, each a number or `batch`.
  private static func shape(_ text: Substring) -> SymbolicShape? {
    guard !text.trimmed.isEmpty else { return [] }
    var items: [ListItem] = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed) {
      if word == "batch" {
        items.append(.batch)
      } else if let extent = Int(word), extent > 0 {
        items.append(.number(Double(extent)))
      } else {
        return nil
      }
    }
    return SymbolicShape(items: items)
  }

  /// Indicates that some symbol has one value per row.
  var hasBatch: Bool { shapes.values.contains { $0.extents.contains(.batch) } }
}

extension Substring {
  /// The text without spaces around it.
  fileprivate var trimmed: Substring {
    let end = lastIndex { !$0.isWhitespace }.map(index(after:)) ?? startIndex
    return self[..<end].drop(while: \.isWhitespace)
  }
}

/// The symbols of `code` that hold class numbers: those that index and that losses take as labels.
func labelSymbols(in code: [Instruction]) -> Set<String> {
  var labels: Set<String> = []
  var stack: [String?] = []
  var bound: [String: String] = [:]
  func take(_ count: Int) -> [String?] {
    let taken = Array(stack.suffix(count))
    stack.removeLast(min(count, stack.count))
    return taken
  }
  for instruction in code {
    switch instruction.kind {
    case .symbol(let name): stack.append(bound[name] ?? name)
    case .number, .list: stack.append(nil)
    case .binary:
      _ = take(2)
      stack.append(nil)
    case .negate, .transpose, .norm, .absoluteValue:
      _ = take(1)
      stack.append(nil)
    case .index:
      if let name = take(2).last ?? nil { labels.insert(name) }
      stack.append(nil)
    case .call(let name, let count):
      let arguments = take(count)
      if let index = Function.labelArgument(name), index < arguments.count,
        let symbol = arguments[index]
      {
        labels.insert(symbol)
      }
      // The same elements in another shape are still class numbers.
      stack.append(name.hasSuffix("reshape") ? arguments.first ?? nil : nil)
    case .bind(let name): if let symbol = take(1).first ?? nil { bound[name] = symbol }
    case .output: _ = take(1)
    }
  }
  return labels
}
