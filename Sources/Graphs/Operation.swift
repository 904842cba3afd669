import Tensors

extension Graph {
  /// The computation of a node.
  ///
  /// Elementwise operations on two operands broadcast: shapes are aligned at their last axis, and
  /// an axis that is missing or has length 1 is repeated.
  public enum Operation: Hashable, Sendable {
    // Leaves.
    /// Rows of numbers, given to every run.
    case data
    /// Class numbers, one per row, given to every run.
    case labels
    /// An array that training changes.
    case parameter
    /// Known numbers, in row-major order.
    case constant([Double])
    /// One known number, repeated.
    case fill(Double)
    /// 0 or `1 / (1 − rate)` at random, drawn anew in every step.
    case dropoutMask(DropoutMask)

    // Elementwise, one operand.
    /// `factor · x`.
    case scale(Factor)
    /// `e^x`.
    case exp
    /// The natural logarithm.
    case log
    /// `e^x − 1`.
    case expm1
    /// `log(1 + x)`.
    case log1p
    /// `log(1 + e^x)`.
    case softplus
    /// `x²`.
    case square
    /// `1 / (1 + e^−x)`.
    case sigmoid
    /// The hyperbolic tangent.
    case tanh
    /// `max(x, 0)`.
    case relu
    /// `√x`.
    case sqrt
    /// `|x|`.
    case abs
    /// −1, 0 or 1, as `x` is negative, zero or positive.
    case sign
    /// The error function `2/√π · ∫₀ˣ e^−t² dt`.
    case erf
    /// `x^exponent`, of a positive `x` unless the exponent is a whole number.
    case power(Double)
    /// `min(x, limit)`.
    case cap(Double)

    // Elementwise, two operands, broadcast.
    /// `a + b`.
    case add
    /// `a − b`.
    case subtract
    /// `a · b`, element by element.
    case multiply
    /// `a / b`, element by element.
    case divide
    /// `max(a, b)`, element by element.
    case maximum

    // Elementwise, of a cotangent `c` and the output `y` of an activation.
    /// `c · [y > 0]`.
    case reluGradient
    /// `c · y · (1 − y)`.
    case sigmoidGradient
    /// `c · (1 − y²)`.
    case tanhGradient

    // Products.
    /// The matrix product of two operands of two axes, either of them transposed first.
    case matmul(transposeLHS: Bool, transposeRHS: Bool)

    // Reductions, which drop the axes they reduce.
    /// The sum over `axes`.
    case sum(axes: [Int])
    /// The sum over all microbatches of a step.
    case crossMicrobatchSum
    /// The mean over `axes`.
    case mean(axes: [Int])
    /// The sum of squares over `axes`.
    case squaredNorm(axes: [Int])

    // Shaping.
    /// The same elements in another shape.
    case reshape(SymbolicShape)
    /// Repetition along missing axes and axes of length 1.
    case broadcast(SymbolicShape)
    /// The last two axes exchanged.
    case transpose
    /// The axes in another order: axis i of the value is axis `order[i]` of the operand.
    case permute([Int])
    /// Elements `start ..< end` of an axis.
    case slice(axis: Int, start: Int, end: Int)
    /// Zeros before and after the elements of an axis.
    case pad(axis: Int, before: Int, after: Int)
    /// Two operands one after the other along an axis.
    case concatenate(axis: Int)
    /// Rows of a table of one or two axes, `[classes, ...]`, one for each label.
    case gather
    /// Rows of a table `[count, units]`, one for each number; these are whole and below `count`.
    case embedding
    /// From a cotangent of the rows and the numbers, the cotangent of a table of `count` rows.
    case embeddingGradient(count: Int)

    // Windows over images.
    /// The convolution of images `[batch, in, ...]` with weights `[out, in / groups, kernel...]`.
    case convolution(Convolution)
    /// From a cotangent of the result and the weights, the cotangent of images of spatial `extents`.
    case convolutionInputGradient(Convolution, extents: [Int])
    /// From the images and a cotangent of the result, the cotangent of the weights.
    case convolutionWeightGradient(Convolution)
    /// The maximum in each window.
    case maxPool(Pooling)
    /// From a cotangent of the maxima and the images, the cotangent of the images.
    case maxPoolGradient(Pooling)
    /// From numbers and images of one shape, the numbers where the maxima of the images are.
    case maxPoolSelection(Pooling)
    /// The mean of each window, padding counted as zeros.
    case averagePool(Pooling)
    /// From a cotangent of the means, the cotangent of images of spatial `extents`.
    case averagePoolGradient(Pooling, extents: [Int])

    // Normalisation.
    /// `γ · (x − μ) / √(σ² + ε) + β`, of x, γ and β, with mean and variance over axes.
    case normalize(Normalization)
    /// From a cotangent and x, the cotangent of γ.
    case normalizeScaleGradient(Normalization)
    /// From a cotangent, x, γ and the cotangents of γ and β, the cotangent of x.
    case normalizeInputGradient(Normalization)
    /// The means and variances that a normalisation of x takes, one after the other: `[2, ...]`.
    case moments(Normalization)
    /// The mean of `(x − μ)²` over `axes`, which are dropped.
    case variance(axes: [Int])

    // Along the last axis.
    /// `e^xᵢ / Σⱼ e^xⱼ`.
    case softmax
    /// `xᵢ − log Σⱼ e^xⱼ`.
    case logSoftmax
    /// `log Σⱼ e^xⱼ`, which drops the axis.
    case logSumExp

    // Losses per row.
    /// `log Σⱼ e^zⱼ − z_label`, of logits `[batch, classes]` and labels `[batch]`.
    case softmaxCrossEntropy
    /// `c · (softmax(z) − oneHot(label))`, of a cotangent `[batch]`, logits and labels.
    case softmaxCrossEntropyGradient
    /// 1 at the label and 0 elsewhere, `[batch, classes]`.
    case oneHot(classes: Int)
    /// The mean of `(prediction − target)²` over all axes but the first.
    case meanSquaredError
  }
}

extension Graph.Operation {
  /// The rules of all operations that text can write.
  static var writtenRules: [any OperationRule.Type] {
    [
      ConstantRule.self, FillRule.self, DropoutMaskRule.self, ScaleRule.self, ExpRule.self,
      LogRule.self, Expm1Rule.self, Log1pRule.self, SoftplusRule.self, SquareRule.self,
      SigmoidRule.self, TanhRule.self, ReluRule.self, SqrtRule.self, AbsRule.self, SignRule.self,
      ErfRule.self, PowerRule.self, CapRule.self, AddRule.self, SubtractRule.self,
      MultiplyRule.self, DivideRule.self, MaximumRule.self, ReluGradientRule.self,
      SigmoidGradientRule.self, TanhGradientRule.self, MatmulRule.self, SumRule.self,
      CrossMicrobatchSumRule.self, MeanRule.self, SquaredNormRule.self, ReshapeRule.self,
      BroadcastRule.self,
      TransposeRule.self, PermuteRule.self, SliceRule.self, PadRule.self, ConcatenateRule.self,
      GatherRule.self, EmbeddingRule.self, EmbeddingGradientRule.self, ConvolutionRule.self,
      ConvolutionInputGradientRule.self, ConvolutionWeightGradientRule.self, MaxPoolRule.self,
      MaxPoolGradientRule.self, MaxPoolSelectionRule.self, AveragePoolRule.self,
      AveragePoolGradientRule.self, NormalizeRule.self, NormalizeScaleGradientRule.self,
      NormalizeInputGradientRule.self, MomentsRule.self, VarianceRule.self, SoftmaxRule.self,
      LogSoftmaxRule.self, LogSumExpRule.self, CrossEntropyRule.self,
      CrossEntropyGradientRule.self, OneHotRule.self, MeanSquaredErrorRule.self,
    ]
  }

  var rule: any OperationRule {
    switch self {
    case .data: DataRule()
    case .labels: LabelsRule()
    case .parameter: ParameterRule()
    case .constant(let values): ConstantRule(values: values)
    case .fill(let value): FillRule(value: value)
    case .dropoutMask(let mask): DropoutMaskRule(mask: mask)
    case .scale(let factor): ScaleRule(factor: factor)
    case .exp: ExpRule()
    case .log: LogRule()
    case .expm1: Expm1Rule()
    case .log1p: Log1pRule()
    case .softplus: SoftplusRule()
    case .square: SquareRule()
    case .sigmoid: SigmoidRule()
    case .tanh: TanhRule()
    case .relu: ReluRule()
    case .sqrt: SqrtRule()
    case .abs: AbsRule()
    case .sign: SignRule()
    case .erf: ErfRule()
    case .power(let exponent): PowerRule(exponent: exponent)
    case .cap(let limit): CapRule(limit: limit)
    case .add: AddRule()
    case .subtract: SubtractRule()
    case .multiply: MultiplyRule()
    case .divide: DivideRule()
    case .maximum: MaximumRule()
    case .reluGradient: ReluGradientRule()
    case .sigmoidGradient: SigmoidGradientRule()
    case .tanhGradient: TanhGradientRule()
    case .matmul(let lhs, let rhs): MatmulRule(transposeLHS: lhs, transposeRHS: rhs)
    case .sum(let axes): SumRule(axes: axes)
    case .crossMicrobatchSum: CrossMicrobatchSumRule()
    case .mean(let axes): MeanRule(axes: axes)
    case .squaredNorm(let axes): SquaredNormRule(axes: axes)
    case .reshape(let shape): ReshapeRule(target: shape)
    case .broadcast(let shape): BroadcastRule(target: shape)
    case .transpose: TransposeRule()
    case .permute(let order): PermuteRule(order: order)
    case .slice(let axis, let start, let end): SliceRule(axis: axis, start: start, end: end)
    case .pad(let axis, let before, let after): PadRule(axis: axis, before: before, after: after)
    case .concatenate(let axis): ConcatenateRule(axis: axis)
    case .gather: GatherRule()
    case .embedding: EmbeddingRule()
    case .embeddingGradient(let count): EmbeddingGradientRule(count: count)
    case .convolution(let convolution): ConvolutionRule(convolution: convolution)
    case .convolutionInputGradient(let convolution, let extents):
      ConvolutionInputGradientRule(convolution: convolution, extents: extents)
    case .convolutionWeightGradient(let convolution):
      ConvolutionWeightGradientRule(convolution: convolution)
    case .maxPool(let pooling): MaxPoolRule(pooling: pooling)
    case .maxPoolGradient(let pooling): MaxPoolGradientRule(pooling: pooling)
    case .maxPoolSelection(let pooling): MaxPoolSelectionRule(pooling: pooling)
    case .averagePool(let pooling): AveragePoolRule(pooling: pooling)
    case .averagePoolGradient(let pooling, let extents):
      AveragePoolGradientRule(pooling: pooling, extents: extents)
    case .normalize(let normalization): NormalizeRule(normalization: normalization)
    case .normalizeScaleGradient(let normalization):
      NormalizeScaleGradientRule(normalization: normalization)
    case .normalizeInputGradient(let normalization):
      NormalizeInputGradientRule(normalization: normalization)
    case .moments(let normalization): MomentsRule(normalization: normalization)
    case .variance(let axes): VarianceRule(axes: axes)
    case .softmax: SoftmaxRule()
    case .logSoftmax: LogSoftmaxRule()
    case .logSumExp: LogSumExpRule()
    case .softmaxCrossEntropy: CrossEntropyRule()
    case .softmaxCrossEntropyGradient: CrossEntropyGradientRule()
    case .oneHot(let classes): OneHotRule(classes: classes)
    case .meanSquaredError: MeanSquaredErrorRule()
    }
  }
}
