// A product or convolution of a step as the library alone would compute it, in each of its ways.

package import Kernels
package import OneDNN
package import Tensors

/// One matrix product or convolution in every way the library has for it; a floor takes the fastest.
///
/// The ways of a product: the matmul primitive on matrices stored row by row, the same on matrices in the layout
/// that it prefers, and sgemm. Those of a convolution: in the layouts that it prefers, and on images with
/// channels last. Bringing anything into a preferred layout is not part of it. A final class with one owner, used
/// by one thread at a time, after ``prepareThread()`` on each thread that does.
package final class LibraryCall {
  /// A matrix product `[rows, depth] · [depth, columns]` and how its operands are stored.
  package struct Product: Hashable, Sendable {
    package let rows: Int
    package let columns: Int
    package let depth: Int
    /// True if the left operand is stored `[depth, rows]`.
    package let transposeLHS: Bool
    /// True if the right operand is stored `[columns, depth]`.
    package let transposeRHS: Bool

    /// Describes a product, of extents 1 or more.
    package init(rows: Int, columns: Int, depth: Int, transposeLHS: Bool, transposeRHS: Bool) {
      self.rows = rows
      self.columns = columns
      self.depth = depth
      self.transposeLHS = transposeLHS
      self.transposeRHS = transposeRHS
    }
  }

  /// A result computed from two operands.
  package enum Work: Hashable, Sendable {
    /// A matrix product.
    case product(Product)
    /// Forward: y from x and W. Input gradient: x̄ from ȳ and W. Weight gradient: W̄ from x and ȳ. Shapes are
    /// `[batch, channels, spatial...]`.
    case convolution(ImageConvolution.Kind, Window, groups: Int, x: Shape, y: Shape)
  }

  private enum Way {
    case primitive(BarePrimitive)
    case sgemm(Product)
  }

  private let ways: [Way]

  /// The number of ways.
  package var wayCount: Int { ways.count }

  /// Prepares all ways.
  ///
  /// - Parameter work: The product or convolution, of extents 1 or more.
  /// - Throws: ``OneDNNError`` if the library refuses the shape.
  /// - Complexity: up to milliseconds, when code is generated.
  package init(_ work: Work) throws(OneDNNError) {
    OneDNN.prepareThread()
    switch work {
    case .product(let product):
      let bare = BarePrimitive.Work.product(
        rows: product.rows, columns: product.columns, depth: product.depth,
        transposeLHS: product.transposeLHS, transposeRHS: product.transposeRHS)
      ways = [
        .primitive(try BarePrimitive(bare, .plain)),
        .primitive(try BarePrimitive(bare, .preferred)),
        .sgemm(product),
      ]
    case .convolution(let kind, let window, let groups, let x, let y):
      let geometry = ConvolutionPrimitive.Geometry(
        batch: x[0], inputs: x[1], outputs: y[1], groups: groups,
        axes: ImageConvolution.axes(
          window, x: Array(x.extents.dropFirst(2)), y: Array(y.extents.dropFirst(2))))
      let bare = BarePrimitive.Work.convolution(kind.primitiveKind, geometry)
      ways = [
        .primitive(try BarePrimitive(bare, .preferred)),
        .primitive(try BarePrimitive(bare, .plain)),
      ]
    }
  }

  /// The elements that both operands and the result take, at most, whatever the way.
  package var counts: (lhs: Int, rhs: Int, result: Int) {
    ways.reduce(into: (0, 0, 0)) { most, way in
      let sizes =
        switch way {
        case .primitive(let primitive): primitive.byteCounts
        case .sgemm(let product):
          (
            4 * product.rows * product.depth, 4 * product.depth * product.columns,
            4 * product.rows * product.columns
          )
        }
      most = (
        max(most.0, (sizes.0 + 3) / 4), max(most.1, (sizes.1 + 3) / 4),
        max(most.2, (sizes.2 + 3) / 4)
      )
    }
  }

  /// Computes the result in one way.
  ///
  /// - Parameters:
  ///   - way: The number of the way, within `0 ..< wayCount`.
  ///   - lhs: The first operand.
  ///   - rhs: The second operand.
  ///   - result: The memory of the result; overlaps no operand.
  package func run(
    way: Int, lhs: UnsafePointer<Float>, rhs: UnsafePointer<Float>,
    into result: UnsafeMutablePointer<Float>
  ) {
    switch ways[way] {
    case .primitive(let primitive): primitive.run(lhs: lhs, rhs: rhs, into: result)
    case .sgemm(let product):
      sgemm(
        rows: product.rows, columns: product.columns, depth: product.depth,
        transposeLHS: product.transposeLHS, transposeRHS: product.transposeRHS, lhs: lhs, rhs: rhs,
        into: result)
    }
  }
}
