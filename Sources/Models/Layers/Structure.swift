// Layers that rearrange, cut or pad the elements of a row.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// All elements of a row in one axis.
  public struct Flatten: LayerKind {
    /// Describes the layer.
    public init() {}

    /// The name in configurations.
    public var configurationName: String { "flatten" }

    /// Adds the reshape.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let count = builder.graph.shape(of: inputs[0]).fixedCount
      return try Reshape([count]).output(of: inputs, in: &builder)
    }
  }

  /// The elements of a row in another shape.
  public struct Reshape: LayerKind {
    /// The shape, without the batch.
    public let extents: [Int]

    /// Describes the layer.
    public init(_ extents: [Int]) { self.extents = extents }

    /// The name in configurations.
    public var configurationName: String { "reshape" }

    /// Adds the reshape.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      guard builder.graph.shape(of: inputs[0]).fixedCount == Shape(extents).count else {
        throw builder.fault(
          found: "an input of shape \(builder.rowShape(of: inputs[0]))",
          expected: "as many elements as \(Shape(extents))")
      }
      return try builder.graph.reshape(
        inputs[0], to: SymbolicShape([.batch] + extents.map(Extent.fixed)))
    }
  }

  /// The axes of a row in another order.
  public struct Permute: LayerKind {
    /// The axes in their new order, from 0.
    public let axes: [Int]

    /// Describes the layer.
    public init(_ axes: [Int]) { self.axes = axes }

    /// The name in configurations.
    public var configurationName: String { "permute" }

    /// Adds the permutation.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let row = builder.rowShape(of: inputs[0])
      guard axes.sorted() == Array(0..<row.axisCount) else {
        throw builder.fault(
          found: "axes \(axes) for an input of shape \(row)",
          expected: "each of 0 ..< \(row.axisCount) once")
      }
      return try builder.graph.add(.permute([0] + axes.map { $0 + 1 }), inputs)
    }
  }

  /// Elements `start ..< end` of an axis of a row; without an end up to its length.
  public struct Slice: LayerKind {
    /// The axis of a row, from 0.
    public let axis: Int
    /// The first element.
    public let start: Int
    /// The element behind the last one.
    public let end: Int?

    /// Describes the layer.
    public init(axis: Int = 0, start: Int = 0, end: Int? = nil) {
      self.axis = axis
      self.start = start
      self.end = end
    }

    /// The name in configurations.
    public var configurationName: String { "slice" }

    /// Adds the slice.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let extent = try builder.extent(of: inputs[0], axis: axis)
      let end = end ?? extent
      guard 0 <= start, start < end, end <= extent else {
        throw builder.fault(
          found: "elements \(start) ..< \(end) of axis \(axis)",
          expected: "some of 0 ..< \(extent)")
      }
      return try builder.graph.add(.slice(axis: axis + 1, start: start, end: end), inputs)
    }
  }

  /// Zeros before and after the elements of an axis of a row.
  public struct Pad: LayerKind {
    /// The axis of a row, from 0.
    public let axis: Int
    /// The zeros before its elements.
    public let before: Int
    /// The zeros after its elements.
    public let after: Int

    /// Describes the layer.
    public init(axis: Int = 0, before: Int = 0, after: Int = 0) {
      self.axis = axis
      self.before = before
      self.after = after
    }

    /// The name in configurations.
    public var configurationName: String { "pad" }

    /// Adds the zeros.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      _ = try builder.extent(of: inputs[0], axis: axis)
      guard before >= 0, after >= 0, before + after > 0 else {
        throw builder.fault(
          found: "\(before) zeros before and \(after) after", expected: "some")
      }
      return try builder.graph.add(.pad(axis: axis + 1, before: before, after: after), inputs)
    }
  }
}

extension LayerKind where Self == Layer.Flatten {
  /// All elements of a row in one axis.
  public static var flatten: Self { Self() }
}

extension LayerKind where Self == Layer.Reshape {
  /// Describes the elements of a row in another shape.
  public static func reshape(_ extents: [Int]) -> Self { Self(extents) }
}

extension LayerKind where Self == Layer.Permute {
  /// Describes the axes of a row in another order, from 0.
  public static func permute(_ axes: [Int]) -> Self { Self(axes) }
}

extension LayerKind where Self == Layer.Slice {
  /// Describes elements `start ..< end` of an axis of a row.
  public static func slice(axis: Int = 0, start: Int = 0, end: Int? = nil) -> Self {
    Self(axis: axis, start: start, end: end)
  }
}

extension LayerKind where Self == Layer.Pad {
  /// Describes zeros before and after the elements of an axis of a row.
  public static func pad(axis: Int = 0, before: Int = 0, after: Int = 0) -> Self {
    Self(axis: axis, before: before, after: after)
  }
}

extension Layer.Flatten: ConfigurableLayerKind {
  /// The name alone.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative(
        "flatten", meaning: "all elements of a row in one axis; implied before affine"
      ) { (_) throws(ConfigurationError) in Layer.Flatten() }
    ]
  }
}

extension Layer.Reshape: ConfigurableLayerKind {
  /// The keys of `reshape`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("reshape", primary: "shape", meaning: "the elements of a row in another shape") {
        (section) throws(ConfigurationError) in
        Layer.Reshape(
          try section.integers(
            "shape", in: .between(1, 1 << 24), counts: 1...8, meaning: "shape without the batch"))
      }
    ]
  }
}

extension Layer.Permute: ConfigurableLayerKind {
  /// The keys of `permute`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("permute", primary: "axes", meaning: "the axes of a row in another order") {
        (section) throws(ConfigurationError) in
        Layer.Permute(
          try section.integers(
            "axes", in: .between(0, 7), counts: 1...8, meaning: "axes in their new order, from 0"))
      }
    ]
  }
}

extension Layer.Slice: ConfigurableLayerKind {
  /// The keys of `slice`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("slice", meaning: "a part of an axis") {
        (section) throws(ConfigurationError) in
        let axis = try section.rowAxis()
        let start = try section.integer(
          "start", default: 0, in: .nonNegative, meaning: "first element")
        let end = try section.optionalInteger(
          "end", in: .positive, unset: "the length of the axis",
          meaning: "element behind the last one")
        return Layer.Slice(axis: axis, start: start, end: end)
      }
    ]
  }
}

extension Layer.Pad: ConfigurableLayerKind {
  /// The keys of `pad`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("pad", meaning: "zeros before and after an axis") {
        (section) throws(ConfigurationError) in
        let axis = try section.rowAxis()
        let before = try section.integer(
          "before", default: 0, in: .between(0, 1 << 24), meaning: "zeros before its elements")
        let after = try section.integer(
          "after", default: 0, in: .between(0, 1 << 24), meaning: "zeros after its elements")
        return Layer.Pad(axis: axis, before: before, after: after)
      }
    ]
  }
}

extension Section {
  /// Reads an axis of a row.
  func rowAxis() throws(ConfigurationError) -> Int {
    try integer("axis", default: 0, in: .between(0, 7), meaning: "axis of a row, from 0")
  }
}

extension LayerBuilder {
  /// Returns the length of an axis of a row.
  func extent(of input: Graph.Node, axis: Int) throws(ModelError) -> Int {
    let row = rowShape(of: input)
    guard axis >= 0, axis < row.axisCount else {
      throw fault(
        found: "axis \(axis) of an input of shape \(row)", expected: "one of its axes")
    }
    return row[axis]
  }
}
