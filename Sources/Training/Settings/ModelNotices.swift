// Remarks on a model that is allowed but hardly meant.
import Datasets
import Models

extension Network {
  /// Returns remarks on likely mistakes in the model, given its loss and its data, with a remedy, one line each.
  ///
  /// - Parameter splits: The rows.
  /// - Returns: The remarks; none for a usual model.
  func notices(for splits: Splits) -> [String] {
    [finalActivationNotice, spareOutputNotice(splits)].compactMap { $0 }
  }

  /// The remark on a last activation that the loss applies itself.
  private var finalActivationNotice: String? {
    // These layers only move numbers.
    let movers: Set = ["flatten", "reshape", "permute", "dropout"]
    guard let last = layers.last(where: { !movers.contains($0.kind) }) else { return nil }
    guard let applied = lossKind.outputActivation,
      ["sigmoid", "softmax", "log_softmax"].contains(last.kind)
    else { return nil }
    return
      "model: '\(last.name)' comes before \(lossKind.configurationName), which takes logits and applies "
      + "\(applied.rawValue) itself; leave the layer out"
  }

  /// The remark on outputs beyond the classes of the data; up to a twentieth may be rare classes.
  private func spareOutputNotice(_ splits: Splits) -> String? {
    guard splits.targets == .labels, lossKind.takesLabels else { return nil }
    let rows = [splits.train, splits.validation, splits.test]
    let count = rows.compactMap { ($0 as? DatasetRows)?.dataset.classCount }.max() ?? 0
    guard count > 0, outputCount - count > outputCount / 20 else { return nil }
    return
      "model: \(outputCount) outputs, but the data have \(count) classes, 0 to \(count - 1); make the last "
      + "layer of \(count) units"
  }
}
