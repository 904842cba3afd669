import Execution
import Graphs
import Tensors
import TestSupport

/// The preferences of a backend that fuses all it can, as the CPU does.
let fusing: BackendPreferences = {
  var preferences = BackendPreferences()
  preferences.putsChannelsLast = true
  preferences.fusedActivations = [.relu, .sigmoid, .tanh]
  preferences.largestIndexedWindow = 255
  preferences.indexAlignment = 16
  preferences.chains = BackendPreferences.Chains(blockLength: 512, longestRow: 2048)
  preferences.computesLossesWithGradients = true
  return preferences
}()

/// A graph with a loss per row, scheduled with the gradients of all parameters.
func schedule(
  _ graph: Graph, loss: Graph.Node, rows: Int, _ preferences: BackendPreferences = fusing
) throws -> Schedule {
  try schedule(graph, loss: loss, MicrobatchGroup(rowCount: rows), preferences)
}

/// The same for a group of microbatches.
func schedule(
  _ graph: Graph, loss: Graph.Node, _ group: MicrobatchGroup,
  _ preferences: BackendPreferences = fusing
) throws -> Schedule {
  var graph = graph
  let parameters = graph.parameters
  let gradients = try graph.gradient(of: loss, withRespectTo: parameters)
  let names = parameters.map { graph[$0].name ?? "" }
  let layout = FlatLayout(
    zip(names, parameters).map { ($0, graph.shape(of: $1).resolved(batch: 1)) })
  let (simple, kept) = graph.simplified(keeping: [loss] + gradients)
  return try Schedule(
    simple, group: group, values: [kept[0]],
    gradients: Array(zip(names, kept.dropFirst())), layout: layout, preferences: preferences)
}
