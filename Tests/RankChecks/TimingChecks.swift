// That a run says truly where its time went, on every rank.

import Communication
import DataParallel
import Foundation
import Training

/// Trains and compares the sum over the phases with the time on the wall: `timing CONFIG RUN WORKERS`.
@Sendable
func checkTiming(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let request = TrainingRequest(
    configurationPath: options[0] ?? "", overrides: ["run.workers=\(options[2] ?? "1")"],
    output: options[1], kind: "timing")
  let session = try TrainingSession(request, communicator: communicator)
  let wall = try ContinuousClock().measure { _ = try session.run() }
  let sum = session.timing.total
  try communicator.agreeingOnFailure {
    guard abs(sum / wall - 1) < 0.02 else {
      throw CheckError("phases add up to \(sum), the run took \(wall)")
    }
  }
}
