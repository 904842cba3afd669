// Normalisation of channels over the batch: what it is.

extension Layer {
  /// Mean 0 and variance 1 of each channel over the rows of a batch, and running averages of both.
  ///
  /// In training a channel is normalised by its mean and its biased variance over all rows and positions
  /// that are looked at together; the running averages of the mean and the unbiased variance are what
  /// evaluation normalises by. Formulas and defaults are PyTorch's.
  /// Source: Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167; `torch.nn.BatchNorm2d`.
  public struct BatchNormalization: Hashable, Sendable {
    /// Which rows are looked at together.
    public enum Statistics: String, Hashable, Sendable, CaseIterable {
      /// Those of a microbatch.
      case microbatch
      /// Those of the whole step, on all ranks.
      case batch
    }

    /// The weight of a step in the running averages.
    public let momentum: Double
    /// What is added to the variance.
    public let epsilon: Double
    /// Whether a scale and a shift per channel are trained.
    public let affine: Bool
    /// Which rows are looked at together.
    public let statistics: Statistics

    /// Describes a normalisation.
    public init(
      momentum: Double = 0.1, epsilon: Double = 1e-5, affine: Bool = true,
      statistics: Statistics = .microbatch
    ) {
      self.momentum = momentum
      self.epsilon = epsilon
      self.affine = affine
      self.statistics = statistics
    }
  }
}
