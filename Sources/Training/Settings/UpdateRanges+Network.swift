public import Models
public import Optimizers
import Tensors

extension UpdateRanges {
  /// Creates the ranges of a model: parameters learn by their own settings and the optimizer's, states follow
  /// their statistics.
  public init(_ network: Network, _ optimizer: OptimizerSettings) {
    let states = Dictionary(uniqueKeysWithValues: network.states.map { ($0.name, $0) })
    let parameters = Dictionary(uniqueKeysWithValues: network.parameters.map { ($0.name, $0) })
    self.init(network.layout) { number, array in
      if let state = states[array.name] {
        return state.statistic == nil ? .keep : .follow(momentum: state.momentum)
      }
      guard let parameter = parameters[array.name], !parameter.isFrozen else { return .keep }
      let hasTrustRatio =
        optimizer.rule.usesTrustRatio && !optimizer.kindsWithoutTrustRatio.contains(parameter.kind)
      return .learn(
        rateFactor: parameter.learningRateFactor,
        isDecayed: !optimizer.undecayedKinds.contains(parameter.kind),
        trustRatioIndex: hasTrustRatio ? number : nil)
    }
  }
}
