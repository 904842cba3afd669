// Sums in MPI's own order, the baseline of ours.
import Communication
import DataParallel
import Numerics
import Optimizers
import Tensors

/// Replaces `values` on every rank with the sum over all ranks, by MPI_Allreduce in its own order.
///
/// Collective. One rank alone has the sum already.
///
/// - Parameters:
///   - values: This rank's addend on entry, the sum on return; fewer than 2³¹.
///   - communicator: The ranks, which MPI connects if there are several.
/// - Throws: `CommunicationError`.
func sumInFreeOrder(
  _ values: UnsafeMutableBufferPointer<Float>, on communicator: any Communicator
) throws(CommunicationError) {
  guard communicator.size > 1 else { return }
  guard let ranks = communicator as? MPICommunicator else {
    preconditionFailure("a sum in MPI's order on ranks without MPI")
  }
  try ranks.sumInFreeOrder(values)
}

extension StepEngine {
  /// Adds gradients by MPI_Allreduce in its own order and updates all parameters on every rank.
  ///
  /// The baseline of the exact order. The answer depends on the number of ranks.
  ///
  /// Collective; for ranks of one worker and a replica that is not sharded.
  func updateInFreeOrder(
    rowCount: Int, _ step: Optimizer.Step
  ) throws(CommunicationError) {
    let gradient = addOwnGradients(rowCount: rowCount)
    try sumInFreeOrder(gradient.elements, on: communicator)
    stopwatch.lap(.reduction)
    flushingDenormals {
      replica.optimizer.clipValues(of: gradient.pointer, step, 0..<gradient.count)
    }
    _ = updateAll(from: gradient.pointer, step)
  }
}
