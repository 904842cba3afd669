// The progress of a run, for a person or a log.
import Communication
import DataParallel
import Foundation
import Training

/// A printer of the progress of a run: one live line on a terminal, a whole line now and then in a log.
final class ProgressPrinter {
  private let isTerminal: Bool
  private let interval: Duration
  private var last = ContinuousClock.now
  private let begin = ContinuousClock.now
  private var firstStep: Int?
  private var liveLineIsShown = false

  /// Finds out whether standard output is a terminal.
  ///
  /// mpirun gives its ranks a terminal even if its own output is none, so under a launcher the variable that
  /// `launch/mpirun` sets decides.
  init() {
    let isAlone = Job.launcher == .none
    let isTold = ProcessInfo.processInfo.environment["NNDIST_TERMINAL"] == "1"
    isTerminal = isatty(STDOUT_FILENO) == 1 && (isAlone || isTold)
    interval = isTerminal ? .milliseconds(100) : .seconds(10)
  }

  /// Shows an event.
  func show(_ event: TrainingEvent) {
    switch event {
    case .step(let step, let count, let epoch, let loss):
      showStep(step, count, epoch, loss)
    case .evaluated(let split, let step, let epoch, let evaluation):
      printLine("epoch \(epoch)  step \(step)  \(split) \(evaluation.text)")
    case .slowed(let step, let epoch, let factor):
      printLine(
        "epoch \(epoch)  step \(step)  no improvement: learning rate times "
          + formatted(factor, digits: 6))
    case .saved: break
    }
  }

  /// Prints a whole line, after removing the live one.
  func printLine(_ line: String) {
    if liveLineIsShown { print("\r\u{1B}[K", terminator: "") }
    liveLineIsShown = false
    print(line)
    Output.flush()
  }

  private func showStep(_ step: Int, _ count: Int, _ epoch: Int, _ loss: Double) {
    let first = firstStep ?? step - 1
    firstStep = first
    let now = ContinuousClock.now
    guard last.duration(to: now) >= interval else { return }
    last = now
    let elapsed = begin.duration(to: now).seconds
    let left = elapsed / Double(step - first) * Double(count - step)
    let text =
      "epoch \(epoch)  step \(step) of \(count)  loss \(formatted(loss, digits: 4))  "
      + "\(formatted(seconds: left)) left"
    if isTerminal {
      print("\r\u{1B}[K\(text)", terminator: "")
      liveLineIsShown = true
      Output.flush()
    } else {
      printLine(text)
    }
  }
}
