// The committed numbers of Tests/Reference/graphs.py.

import Foundation
public import Tensors

/// Values and gradients of operations and networks, computed by JAX in 64 bits.
public struct ReferenceGraphs: Decodable, Sendable {
  /// An array of the file.
  public struct Numbers: Decodable, Sendable {
    let shape: [Int]
    let values: [Double]

    /// The array as a tensor.
    public var tensor: Tensor { Tensor(shape: Shape(shape), values: values) }
  }

  /// One use of an operation.
  public struct OperationCase: Decodable, Sendable, CustomStringConvertible {
    /// The computation, such as `matmul nt`.
    public let name: String
    /// The operands that are numbers.
    public let operands: [Numbers]
    /// The class numbers, which come after the other operands.
    public let labels: Numbers?
    /// The result.
    public let value: Numbers
    /// The cotangents that the gradients are products with.
    public let cotangent: Numbers
    /// The vector–Jacobian product for each operand.
    public let gradients: [Numbers]

    /// The name and the shapes.
    public var description: String { "\(name) \(operands.map(\.shape))" }
  }

  /// A network with its loss.
  public struct NetworkCase: Decodable, Sendable, CustomStringConvertible {
    /// The purpose of the network.
    public let name: String
    /// Units of affine layers, or names of activations.
    public let layers: [String]
    /// The name of the loss.
    public let loss: String
    /// The rows.
    public let samples: Numbers
    /// Class numbers or responses.
    public let targets: Numbers
    /// Parameters by name.
    public let parameters: [String: Numbers]
    /// The outputs of the last layer.
    public let prediction: Numbers
    /// The loss of each row.
    public let losses: Numbers
    /// The gradient of the summed loss, by name of the parameter.
    public let gradients: [String: Numbers]
    /// The gradient of the sum of the squares of the gradients.
    public let curvature: [String: Numbers]?

    /// The name.
    public var description: String { name }
  }

  /// The operations.
  public let operations: [OperationCase]
  /// The networks.
  public let networks: [NetworkCase]

  /// Reads the file.
  ///
  /// - Throws: An error of Foundation if it is not there or not as expected.
  public init() throws {
    let url = repository.appendingPathComponent("Tests/Reference/graphs.json")
    self = try JSONDecoder().decode(ReferenceGraphs.self, from: Data(contentsOf: url))
  }
}

/// The largest difference of two tensors, over the largest magnitude in the second or 1.
///
/// - Parameters:
///   - found: What is checked.
///   - expected: What it should be.
/// - Returns: Infinity if the shapes differ or a number is not finite.
public func relativeDistance(_ found: Tensor, _ expected: Tensor) -> Double {
  guard found.shape == expected.shape else { return .infinity }
  var (distance, size) = (0.0, 1.0)
  for (a, b) in zip(found.values, expected.values) {
    guard a.isFinite, b.isFinite else { return .infinity }
    distance = max(distance, abs(a - b))
    size = max(size, abs(b))
  }
  return distance / size
}
