// What is asked for is compared with the memory that there is.

import Foundation
import TestSupport
import Testing

@Suite("Limits of memory", .timeLimit(.minutes(5)))
struct MemoryTests {
  /// Trains in the folder under a limit of the process's memory, in KiB.
  private func train(
    _ place: Workplace, limit: Int, _ overrides: String...
  ) throws -> LaunchResult {
    let program = try builtProgram("nndist").path
    let values = overrides.map { "--set '\($0)'" }.joined(separator: " ")
    let command = "exec '\(program)' train iris.yaml --output run \(values)"
    return try run("/bin/sh", "-c", "ulimit -v \(limit); \(command)", directory: place.url)
  }

  @Test("a model beyond the limit of the process is refused before it is asked for")
  func model() throws {
    let place = try Workplace()
    let result = try train(place, limit: 1_200_000, "model=[affine: 16000000, affine: 3]")
    #expect(result.status == 78, "\(result)")
    #expect(
      result.error.hasPrefix("nndist: model has 128000003 parameters, found 1.5 GB for them, "),
      "\(result)")
    #expect(result.error.contains(" state in a process, expected less than its memory of 1.2 GB"))
    #expect(!place.exists("run"))
  }

  @Test("memory that is not there is named, without a signal", arguments: [450_000, 600_000])
  func working(limit: Int) throws {
    let place = try Workplace()
    // The vectors fit, what microbatches compute does not.
    let result = try train(
      place, limit: limit, "model=[affine: 4000000, relu, affine: 3]", "microbatches=1",
      "run.workers=1", "optimizer={sgd: {momentum: 0}}", "batch_size=60")
    #expect(result.status == 74 || result.status == 78, "\(result)")
    #expect(result.error.contains("memory"), "\(result)")
  }
}
