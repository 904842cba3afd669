// Cross-entropy of class labels.
public import Configuration
public import Graphs
import Tensors

/// `log Σⱼ e^zⱼ − z_label`, for class labels.
///
/// With weights w of the classes and smoothing ε, of K classes with log-probabilities p: the weight of a
/// row is w_label, its loss `−(1 − ε) · w_label · p_label − ε / K · Σⱼ wⱼ pⱼ`.
/// Source: `torch.nn.CrossEntropyLoss`.
public struct CrossEntropy: LossKind {
  /// The share ε of each row that is spread over all classes.
  public let labelSmoothing: Double
  /// The weight of the rows of each class; nil where all weigh 1.
  public let classWeights: [Double]?

  /// Describes a cross-entropy.
  public init(labelSmoothing: Double = 0, classWeights: [Double]? = nil) {
    self.labelSmoothing = labelSmoothing
    self.classWeights = classWeights
  }

  /// The name in configurations.
  public var configurationName: String { "softmax_cross_entropy" }

  /// True.
  public var takesLabels: Bool { true }

  /// Softmax.
  public var outputActivation: OutputActivation? { .softmax }

  /// Adds the cross-entropy of each row, and the weights of the rows.
  public func losses(
    of outputs: Graph.Node, targets labels: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    let classes = graph.shape(of: outputs).fixedCount
    guard classWeights == nil || classWeights?.count == classes else {
      throw ModelError.outputs(
        loss: configurationName, found: "\(classWeights?.count ?? 0) class weights",
        expected: "\(classes), one for each class")
    }
    var loss = try graph.softmaxCrossEntropy(outputs, labels: labels)
    var weight: Graph.Node?
    if let classWeights {
      let table = graph.constant(Tensor(shape: [classes], values: classWeights))
      let node = try graph.gather(table, labels: labels)
      loss = try graph.add(.multiply, [loss, node])
      weight = node
    }
    guard labelSmoothing > 0 else { return RowLosses(loss, weights: weight) }
    let factors = (classWeights ?? Array(repeating: 1, count: classes)).map {
      -labelSmoothing / Double(classes) * $0
    }
    let terms = try graph.add(
      .multiply,
      [
        graph.add(.logSoftmax, [outputs]),
        graph.constant(Tensor(shape: [classes], values: factors)),
      ])
    let spread = try graph.add(.sum(axes: [1]), [terms])
    return RowLosses(
      try graph.add(.add, [graph.scale(loss, by: 1 - labelSmoothing), spread]), weights: weight)
  }
}

extension Loss {
  /// Cross-entropy without smoothing and weights.
  public static let softmaxCrossEntropy = Loss(CrossEntropy())

  /// Returns a cross-entropy with smoothing and weights.
  public static func crossEntropy(labelSmoothing: Double, classWeights: [Double]?) -> Loss {
    Loss(CrossEntropy(labelSmoothing: labelSmoothing, classWeights: classWeights))
  }
}

extension CrossEntropy: ConfigurableLossKind {
  /// The keys of `softmax_cross_entropy`.
  public static var alternative: Alternative<any LossKind> {
    Alternative(
      "softmax_cross_entropy", meaning: "log Σⱼ e^zⱼ − z_label, of class labels"
    ) { (section) throws(ConfigurationError) in
      let smoothing = try section.number(
        "label_smoothing", default: 0, in: .between(0, 1),
        meaning: "share of each row that is spread over all classes")
      let weights = try section.value(
        "class_weights", [.unset(nil), .numbers(.positive, counts: 1...1 << 24) { $0 }],
        default: .null, unset: "1 for every class",
        meaning: "weight of the rows of each class, in the mean loss too")
      return CrossEntropy(labelSmoothing: smoothing, classWeights: weights)
    }
  }
}
