import Numerics
public import Tensors

/// The initial values of a parameter.
///
/// Element i is a function of (seed, name of the parameter, i) alone.
public enum Initializer: Hashable, Sendable {
  /// All zeros.
  case zeros
  /// One number.
  case constant(Double)
  /// Uniform between two bounds.
  case uniform(low: Double, high: Double)
  /// Normal with this mean and standard deviation.
  case normal(mean: Double, deviation: Double)
  /// Uniform or normal with mean 0 and a variance that depends on the number of inputs and outputs.
  case scaled(VarianceRule, Distribution)
  /// The norms of the initial values of another parameter, one for each output.
  indirect case norms(Norms)

  /// The variance of initial values.
  public enum VarianceRule: String, Hashable, Sendable, CaseIterable {
    /// `2 / (in + out)`. Source: Glorot and Bengio (2010), http://proceedings.mlr.press/v9/glorot10a.html.
    case glorot
    /// `2 / in`. Source: He et al. (2015), https://arxiv.org/abs/1502.01852.
    case he
    /// `1 / in`. Source: LeCun et al., *Efficient BackProp* (1998), section 4.6.
    case lecun
  }

  /// The distribution that initial values are drawn from.
  public enum Distribution: String, Hashable, Sendable, CaseIterable {
    /// Between plus and minus the square root of three times the variance.
    case uniform
    /// The normal distribution.
    case normal
  }

  /// Writes the initial values of a parameter.
  ///
  /// - Parameters:
  ///   - values: As many elements as `shape` has; overwritten.
  ///   - name: The name of the parameter.
  ///   - shape: Its shape, outputs first: `[out, in]`, or `[out, in, height, width]`.
  ///   - seed: The seed of the run.
  /// - Complexity: O(elements), at most one call of Philox each.
  public func write(
    into values: UnsafeMutableBufferPointer<Float>, name: String, shape: Shape, seed: UInt64
  ) {
    let draws = RandomDraws(seed: seed, stream: randomStream("initial value", name))
    switch self {
    case .zeros: values.update(repeating: 0)
    case .constant(let value): values.update(repeating: Float(value))
    case .uniform(let low, let high):
      for index in values.indices {
        values[index] = draws.uniform(at: index, from: Float(low), to: Float(high))
      }
    case .normal(let mean, let deviation):
      for index in values.indices {
        values[index] = Float(mean) + Float(deviation) * draws.normal(at: index)
      }
    case .norms(let norms): norms.write(into: values, seed: seed)
    case .scaled(let rule, let distribution):
      let receptive = shape.extents.dropFirst(2).reduce(1, *)
      let fanOut = Double((shape.extents.first ?? 1) * receptive)
      let fanIn = Double((shape.axisCount > 1 ? shape[1] : 1) * receptive)
      let variance =
        switch rule {
        case .glorot: 2 / (fanIn + fanOut)
        case .he: 2 / fanIn
        case .lecun: 1 / fanIn
        }
      switch distribution {
      case .uniform:
        let bound = (3 * variance).squareRoot()
        Initializer.uniform(low: -bound, high: bound)
          .write(into: values, name: name, shape: shape, seed: seed)
      case .normal:
        Initializer.normal(mean: 0, deviation: variance.squareRoot())
          .write(into: values, name: name, shape: shape, seed: seed)
      }
    }
  }
}
