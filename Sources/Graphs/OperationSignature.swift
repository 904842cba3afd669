// The text of an operation, there and back: a name, operands, and attributes behind them.

/// The form of an operation in text: `reshape(x, [batch, 3])` is a name, one operand and one attribute.
package struct OperationSignature: Sendable {
  /// The name.
  package let name: String
  /// The number of operands.
  package let operandCount: Int
  /// The operand that holds class numbers, if one does.
  package let labelOperand: Int?
  /// The attributes in words, for messages.
  package let expectation: String
  private let attributeCounts: ClosedRange<Int>
  private let read: @Sendable ([Attribute]) -> Graph.Operation?

  /// Describes an operation with attributes.
  ///
  /// - Parameters:
  ///   - name: The name in text.
  ///   - operands: The number of operands.
  ///   - labels: The operand that holds class numbers.
  ///   - attributes: The numbers of attributes that there may be.
  ///   - expectation: The attributes in words.
  ///   - read: Makes the operation of as many attributes; nil if they are not those that it takes.
  init(
    _ name: String, operands: Int = 1, labels: Int? = nil, attributes: ClosedRange<Int>,
    _ expectation: String, read: @escaping @Sendable ([Attribute]) -> Graph.Operation?
  ) {
    (self.name, operandCount, labelOperand) = (name, operands, labels)
    (self.expectation, attributeCounts, self.read) = (expectation, attributes, read)
  }

  /// Describes an operation without attributes.
  init(_ name: String, operands: Int = 1, labels: Int? = nil, _ operation: Graph.Operation) {
    self.init(name, operands: operands, labels: labels, attributes: 0...0, "nothing") { _ in
      operation
    }
  }

  /// Describes a leaf, which is read together with its shape.
  init(leaf name: String) {
    self.init(name, operands: 0, attributes: 0...0, "nothing") { _ in nil }
  }

  /// Indicates an elementwise operation of one operand and nothing else, which reads as a function.
  package var isElementwiseFunction: Bool {
    operandCount == 1 && operation([])?.isElementwise ?? false
  }

  /// Returns the operation with these attributes, or nil if they are not those that it takes.
  package func operation(_ attributes: [Attribute]) -> Graph.Operation? {
    attributeCounts.contains(attributes.count) ? read(attributes) : nil
  }

  /// The signatures of all operations that text can write, by name.
  package static let byName: [String: OperationSignature] = Dictionary(
    uniqueKeysWithValues: Graph.Operation.writtenRules.flatMap { $0.signatures }.map {
      ($0.name, $0)
    })
}

/// A number or a list that stands behind the operands of an operation.
package enum Attribute: Hashable, Sendable {
  /// A number.
  case number(Double)
  /// A list between brackets.
  case list([ListItem])

  /// A list of whole numbers.
  package static func axes(_ axes: [Int]) -> Attribute { .list(axes.map { .number(Double($0)) }) }

  /// The extents of a shape as a list.
  package static func extents(_ shape: SymbolicShape) -> Attribute {
    .list(
      shape.extents.map { extent in
        switch extent {
        case .batch: .batch
        case .fixed(let count): .number(Double(count))
        }
      })
  }
}

/// An element of a list between brackets.
package enum ListItem: Hashable, Sendable {
  /// The batch extent.
  case batch
  /// A number.
  case number(Double)
}

extension [Attribute] {
  /// Returns the attribute at an index if it is a number.
  func number(_ index: Int) -> Double? {
    if case .number(let value) = self[index] { value } else { nil }
  }

  /// Returns the attribute at an index if it is a whole number.
  func integer(_ index: Int) -> Int? { number(index).flatMap { Int(exactly: $0) } }

  /// Returns the attribute at an index if it is a whole number of classes or rows.
  func count(_ index: Int) -> Int? { integer(index).flatMap { $0 > 0 && $0 < 1 << 31 ? $0 : nil } }

  /// Returns the attribute at an index if it is a list of whole numbers.
  func axes(_ index: Int) -> [Int]? {
    guard case .list(let items) = self[index] else { return nil }
    var axes: [Int] = []
    for item in items {
      guard case .number(let value) = item, let axis = Int(exactly: value) else { return nil }
      axes.append(axis)
    }
    return axes
  }

  /// Returns the attribute at an index as whole numbers: a list, or one.
  func integers(_ index: Int) -> [Int]? { integer(index).map { [$0] } ?? axes(index) }

  /// Returns the attribute at an index if it is a shape.
  func shape(_ index: Int) -> SymbolicShape? {
    guard case .list(let items) = self[index] else { return nil }
    return SymbolicShape(items: items)
  }
}

extension SymbolicShape {
  /// Makes a shape of a list of extents; nil if one is no whole number from 0 on or all are too many.
  package init?(items: [ListItem]) {
    var extents: [Extent] = []
    var count = 1
    for item in items {
      switch item {
      case .batch: extents.append(.batch)
      case .number(let value):
        guard let extent = Int(exactly: value), extent >= 0 else { return nil }
        let (product, overflows) = count.multipliedReportingOverflow(by: max(extent, 1))
        guard !overflows, product <= 1 << 40 else { return nil }
        count = product
        extents.append(.fixed(extent))
      }
    }
    self.init(extents)
  }
}
