// The layers of a model as a table.
import Models
import Tensors

/// Returns the lines of a table: inputs, output shape and parameters of each layer, and the forward cost per row.
///
/// The column of inputs appears only if a layer takes another input than the layer before it.
func layerTable(_ network: Network) -> [String] {
  let showsInputs = network.layers.contains { !$0.inputs.isEmpty }
  func line(
    _ name: String, _ inputs: String, _ output: String, _ parameters: String, _ flops: String,
    _ memory: String
  ) -> [String] {
    [name] + (showsInputs ? [inputs] : []) + [output, parameters, flops, memory]
  }
  let sampleCount = network.sampleShape.count
  var rows = [
    line("layer", "from", "output", "parameters", "flops/row", "memory/row"),
    line("samples", "", "\(network.sampleShape)", "", "", formatted(bytes: 4 * sampleCount)),
  ]
  for layer in network.layers {
    rows.append(
      line(
        layer.name, layer.inputs.joined(separator: ", "), "\(layer.outputShape)",
        parameters(of: layer), layer.flops > 0 ? formatted(flops: layer.flops) : "",
        layer.activationCount > 0 ? formatted(bytes: 4 * layer.activationCount) : ""))
  }
  let total = network.layers.reduce(into: (parameters: 0, flops: 0, activations: sampleCount)) {
    $0.parameters += $1.parameterCount
    $0.flops += $1.flops
    $0.activations += $1.activationCount
  }
  rows.append(
    line(
      "total", "", "", formatted(count: total.parameters), formatted(flops: total.flops),
      formatted(bytes: 4 * total.activations)))
  let first = showsInputs ? 3 : 2
  return table(rows, rightAligned: [first, first + 1, first + 2])
}

private func parameters(of layer: Network.LayerSummary) -> String {
  if let owner = layer.sharedWith { return "of \(owner)" }
  guard layer.parameterCount > 0 else { return "" }
  return (layer.isFrozen ? "frozen " : "") + formatted(count: layer.parameterCount)
}

/// Returns a number of operations in thousands, millions, …: `25.7 M`.
private func formatted(flops: Int) -> String {
  var value = Double(flops)
  guard value >= 1000 else { return "\(flops)" }
  for unit in ["k", "M", "G", "T"] {
    value /= 1000
    if value < 1000 || unit == "T" { return "\(formatted(value, digits: 1)) \(unit)" }
  }
  return "\(flops)"
}
