// Pictures of models: Drawing knows no models, and Models no pictures.
public import Drawing
public import Models
public import Tensors

extension DrawnGraph {
  /// Draws the graph of a model.
  ///
  /// - Parameters:
  ///   - network: The model.
  ///   - parameters: Its parameters, of the network's layout, if they are known.
  ///   - showsGradient: Draws the backward nodes too.
  public init(_ network: Network, parameters: FloatBuffer? = nil, showsGradient: Bool = false) {
    let pairs = zip(network.gradients, network.trainableParameters.map(\.node)).map {
      (gradient: $0, of: $1)
    }
    self.init(
      network.graph, results: [network.loss], gradients: showsGradient ? pairs : [])
    layerKinds = Dictionary(
      network.layers.map { ($0.name, $0.kind) }, uniquingKeysWith: { first, _ in first })
    layerKinds["loss"] =
      layerKinds["loss"] ?? network.lossKind.configurationName.replacing("_", with: " ")
    guard let parameters else { return }
    for range in network.layout.ranges {
      values[range.name] = Tensor(
        shape: range.shape, values: parameters.elements[range.indices].map(Double.init))
    }
  }
}
