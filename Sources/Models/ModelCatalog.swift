/// The layers and losses that a configuration can name: the one table of them.
public struct ModelCatalog: Sendable {
  /// The kinds of layers, in the order of listings.
  public var layers: [any ConfigurableLayerKind.Type]
  /// The kinds of losses, in the order of listings; the first one is the default.
  public var losses: [any ConfigurableLossKind.Type]

  /// Everything that comes with the library.
  public static let builtIn = ModelCatalog(
    layers: [
      Layer.Affine.self, Layer.Activation.self, Layer.Convolution.self, Layer.Pooling.self,
      Layer.GlobalAveragePool.self, Layer.Dropout.self, Layer.Normalization.self,
      Layer.BatchNormalization.self, Layer.LocalResponse.self, Layer.Flatten.self,
      Layer.Reshape.self, Layer.Permute.self, Layer.Combination.self, Layer.Embedding.self,
      Layer.Slice.self, Layer.Pad.self,
    ],
    losses: [
      CrossEntropy.self, MeanSquaredError.self, SquaredNorm.self, MeanAbsoluteError.self,
      Huber.self, BinaryCrossEntropy.self,
    ])
}
