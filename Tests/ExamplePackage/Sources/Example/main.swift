// Trains a model with a layer and a loss of its own, on arrays and on an HDF5 file.
import Foundation
import NNDist

/// `x · σ(β·x)` with a trained β for each element.
struct Swish: LayerKind {
  var configurationName: String { "swish" }

  func output(of inputs: [Graph.Node], in builder: inout LayerBuilder) throws -> Graph.Node {
    let x = inputs[0]
    let beta = try builder.parameter(
      "beta", shape: builder.rowShape(of: x), initially: .constant(1), kind: .weight)
    let gate = try builder.graph.sigmoid(builder.graph.add(.multiply, [x, beta]))
    return try builder.graph.add(.multiply, [x, gate])
  }
}

/// The mean of `log cosh(e)` of the errors e, as `|e| + log(1 + e^(−2|e|)) − log 2`.
struct LogCosh: LossKind {
  var configurationName: String { "log_cosh" }

  func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    let error = try graph.add(.abs, [graph.add(.subtract, [outputs, targets])])
    let tail = try graph.add(.softplus, [graph.scale(error, by: -2)])
    let mean = try graph.add(.mean(axes: [1]), [graph.add(.add, [error, tail])])
    let log2 = graph.fill(log(2), shape: graph.shape(of: mean))
    return RowLosses(try graph.add(.subtract, [mean, log2]))
  }
}

let model = Model([.affine(8), Layer(Swish()), .affine(1)], loss: LogCosh())

/// 400 points of a saddle, `y = a·b`.
func saddle() throws -> ArrayRows {
  var (samples, responses): ([Float], [Float]) = ([], [])
  for a in stride(from: Float(-1), to: 1, by: 0.1) {
    for b in stride(from: Float(-1), to: 1, by: 0.1) {
      samples += [a, b]
      responses.append(a * b)
    }
  }
  return try ArrayRows(samples: samples, shape: [2], responses: responses)
}

/// Trains and prints the loss, a parameter and the digest of all, which are the same for all numbers of ranks.
func train(_ name: String, _ request: TrainingRequest, _ ranks: any Communicator) throws {
  let session = try TrainingSession(request, communicator: ranks)
  _ = try session.run()
  let trained = session.trainedModel
  guard ranks.isRoot, let beta = trained["swish1/beta"] else { return }
  print(name, "step", session.step, "beta", beta.values[0], "digest", trained.digest())
}

exit(
  onAllRanks { ranks in
    let settings = "batch_size: 40\nepochs: 20\noptimizer: { adam: { learning_rate: 0.01 } }\n"
    let arrays = TrainingRequest(model, train: try saddle(), settings: settings)
    try train("arrays", arrays, ranks)
    guard CommandLine.arguments.count > 1 else { return }
    let file = TrainingRequest(
      model, settings: settings + "data: { train: '\(CommandLine.arguments[1])' }")
    try train("file", file, ranks)
  })
