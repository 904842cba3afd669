// The summary of a run before its first step and after its last.
import Communication
import DataParallel
import Models
import Tensors
import Training

/// The summary of a run, printed by root.
struct RunSummary {
  private let session: TrainingSession
  private let communicator: any Communicator
  private let path: String

  init(_ session: TrainingSession, _ communicator: any Communicator, path: String) {
    self.session = session
    self.communicator = communicator
    self.path = path
  }

  func printBegin(_ printer: ProgressPrinter) {
    let plan = session.plan
    if plan.configuration.gradientFormat != .float {
      printer.printLine(
        "not one answer: train.gradient_exchange is \(plan.configuration.gradientFormat.rawValue), so "
          + "the parameters depend on the hosts of the run and on where it was stopped")
    }
    printer.printLine("nndist \(Version.text)  \(path)")
    for description in session.splits.descriptions { printer.printLine("  " + description) }
    for line in layerTable(plan.network) { printer.printLine("  " + line) }
    let frozenCount = plan.network.parameters.filter(\.isFrozen).reduce(0) { $0 + $1.shape.count }
    let frozen = frozenCount > 0 ? ", \(formatted(count: frozenCount)) of them frozen" : ""
    printer.printLine(
      "\(counted(plan.network.parameterLayout.elementCount, "parameter"))\(frozen), loss "
        + "\(plan.network.lossKind.configurationName), memory "
        + "\(formatted(bytes: session.byteCount)) per rank without the data"
    )
    let host = communicator.placement
    printer.printLine(
      "\(counted(communicator.size, "rank")) × \(counted(session.workers, "worker")) on "
        + "\(counted(host.hostCount, "host")), batches of "
        + "\(counted(plan.configuration.batchSize, "row")) in "
        + "\(counted(plan.microbatches, "microbatch", "microbatches")), "
        + "\(counted(plan.stepsPerEpoch, "step")) an epoch, \(counted(plan.stepCount, "step")) in all"
    )
    for notice in session.notices { printer.printLine("notice: \(notice)") }
    if let runPath = session.runPath {
      if let checkpoint = session.resumedFrom {
        printer.printLine("goes on from \(checkpoint)")
      } else {
        printer.printLine("writes to \(runPath)")
      }
    }
  }

  func printEnd(_ ending: TrainingSession.Ending, _ printer: ProgressPrinter) {
    switch ending {
    case .wasFinished:
      if let reason = session.earlyEnd {
        printer.printLine("finished before: \(reason); start over with --fresh")
        return
      }
      printer.printLine(
        "finished before: \(counted(session.startStep, "step")) of \(session.plan.stepCount); "
          + "raise epochs to go on, or start over with --fresh")
      return
    case .stopped:
      printer.printLine(
        "stopped on request after step \(session.step); the same command goes on from here")
    case .finished:
      if let reason = session.earlyEnd { printer.printLine(reason) }
      for named in session.evaluations {
        printer.printLine("final \(named.split) \(named.evaluation.text)")
      }
      if session.plan.stepCount == 0 {
        printer.printLine("nothing to train: epochs is 0")
      } else if session.evaluations.isEmpty {
        printer.printLine("done; no data to evaluate on (data.test, data.validation)")
      }
    }
    if let checkpoint = session.checkpointPath { printer.printLine("checkpoint \(checkpoint)") }
    let timing = session.timing
    let total = max(timing.total.seconds, 1e-9)
    let phases = Timing.Phase.allCases.map { phase in
      "\(phase.word) \(formatted(100 * timing[phase].seconds / total, digits: 1)) %"
    }
    if let slowest = session.slowestRank {
      let more = 100 * (slowest.busy.seconds / max(slowest.meanBusy.seconds, 1e-9) - 1)
      printer.printLine(
        "slowest rank \(slowest.rank) on \(slowest.hostName): \(formatted(more, digits: 1)) % more "
          + "time for its microbatches than the mean")
    }
    let rate = Double(timing.rowCount) / max(timing.training.seconds, 1e-9)
    printer.printLine(
      "\(formatted(seconds: total)): \(phases.joined(separator: ", ")); "
        + "\(formatted(count: Int(rate))) rows/s while training")
  }
}
