// The network of a configuration, with or without its data.
import Models
import Tensors
import Training

/// Builds the network of a configuration.
///
/// - Parameters:
///   - path: The configuration.
///   - overrides: Overrides of it.
///   - sampleShape: The shape of a sample; nil to read it from the data.
///   - responses: The number of responses per row if the shape is given; nil for labels, or as many as the
///     model has outputs.
/// - Returns: The network.
/// - Throws: Errors in the configuration or the data.
func configuredNetwork(
  _ path: String, overrides: [String], sampleShape: Shape?, responses: Int? = nil
) throws -> Network {
  // The data may be on another machine.
  let absent = ["data.train=none", "data.test=null", "data.validation=null"]
  let (configuration, _) = try readConfiguration(
    path, overrides: overrides + (sampleShape == nil ? [] : absent))
  guard let sampleShape else {
    let splits = try Splits.open(configuration)
    return try configuration.network(
      sampleShape: splits.sampleShape, targets: splits.targets)
  }
  // Without data a row has as many responses as the model has outputs.
  let outputs = try Network.outputShape(of: configuration.model, sampleShape: sampleShape).count
  return try configuration.network(
    sampleShape: sampleShape,
    targets: responses.map { .responses($0) }
      ?? (configuration.loss.takesLabels ? .labels : .responses(outputs)))
}
