public import Configuration

/// What is minimised, from the outputs of the last layer and the targets of a row.
///
/// The mean over rows is the sum of their losses over the sum of their weights; a row weighs 1 unless its
/// class has a weight.
public enum LossKind: Hashable, Sendable {
  /// `log Σⱼ e^zⱼ − z_label`, for class labels.
  ///
  /// With weights w of the classes and smoothing ε, of K classes with log-probabilities p: the weight of a
  /// row is w_label, its loss `−(1 − ε) · w_label · p_label − ε / K · Σⱼ wⱼ pⱼ`.
  /// Source: `torch.nn.CrossEntropyLoss`.
  case crossEntropy(labelSmoothing: Double, classWeights: [Double]?)
  /// The mean of `(prediction − response)²`.
  case meanSquaredError
  /// The sum of `(prediction − response)²`, ‖·‖² per row.
  case squaredNorm
  /// The mean of `|prediction − response|`.
  case meanAbsoluteError
  /// The mean of `e²/2` where `|e| < δ`, else `δ · (|e| − δ/2)`, of `e = prediction − response`.
  case huber(delta: Double)
  /// The mean of `log(1 + e^z) − t·z`, of logits z and responses t between 0 and 1.
  case binaryCrossEntropy

  /// Cross-entropy without smoothing and weights.
  public static let softmaxCrossEntropy = crossEntropy(labelSmoothing: 0, classWeights: nil)

  /// The word for it, as configurations write it.
  public var word: String {
    switch self {
    case .crossEntropy: "softmax_cross_entropy"
    case .meanSquaredError: "mean_squared_error"
    case .squaredNorm: "squared_norm"
    case .meanAbsoluteError: "mean_absolute_error"
    case .huber: "huber"
    case .binaryCrossEntropy: "binary_cross_entropy"
    }
  }

  /// Whether targets are class numbers; otherwise they are responses.
  public var takesLabels: Bool { if case .crossEntropy = self { true } else { false } }
}

extension LossKind: CaseIterable {
  /// Every kind of loss, with the numbers that configurations leave out.
  public static let allCases: [LossKind] = [
    .softmaxCrossEntropy, .meanSquaredError, .squaredNorm, .meanAbsoluteError, .huber(delta: 1),
    .binaryCrossEntropy,
  ]

  /// The loss of that word, with the numbers that configurations leave out.
  public init?(word: String) {
    guard let kind = LossKind.allCases.first(where: { $0.word == word }) else { return nil }
    self = kind
  }
}

extension LossKind {
  /// Reads what is minimised.
  ///
  /// - Parameter section: The section that holds the key `loss`.
  /// - Returns: The loss; cross-entropy where there is no key.
  /// - Throws: `ConfigurationError` naming the key.
  public static func read(from section: Section) throws(ConfigurationError) -> LossKind {
    func simple(_ kind: LossKind, _ meaning: String) -> Alternative<LossKind> {
      Alternative(kind.word, meaning: meaning) { (_) throws(ConfigurationError) in kind }
    }
    let crossEntropy = Alternative<LossKind>(
      LossKind.softmaxCrossEntropy.word, meaning: "log Σⱼ e^zⱼ − z_label, of class labels"
    ) { (section) throws(ConfigurationError) in
      let smoothing = try section.number(
        "label_smoothing", default: 0, in: .between(0, 1),
        meaning: "share of each row that is spread over all classes")
      let weights = try section.value(
        "class_weights", [.unset(nil), .numbers(.positive, counts: 1...1 << 24) { $0 }],
        default: .null, unset: "1 for every class",
        meaning: "weight of the rows of each class, in the mean loss too")
      return .crossEntropy(labelSmoothing: smoothing, classWeights: weights)
    }
    let huber = Alternative<LossKind>(
      "huber", primary: "delta",
      meaning: "mean of e²/2 where |e| < delta, else delta·(|e| − delta/2)"
    ) { (section) throws(ConfigurationError) in
      .huber(
        delta: try section.number(
          "delta", default: 1, in: .positive, meaning: "error from where the loss grows linearly"))
    }
    return try section.oneOf(
      "loss",
      [
        crossEntropy, simple(.meanSquaredError, "mean of e², e = prediction − response"),
        simple(.squaredNorm, "sum of e²"), simple(.meanAbsoluteError, "mean of |e|"), huber,
        simple(
          .binaryCrossEntropy, "mean of log(1 + e^z) − t·z, of logits z and responses t in 0...1"),
      ], default: LossKind.softmaxCrossEntropy.word, meaning: "what is minimised")
  }
}
