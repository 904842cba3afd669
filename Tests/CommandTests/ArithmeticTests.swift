// Whole runs on instruction sets of every kind: one answer, also from one to the next.

import Foundation
import TestSupport
import Testing

@Suite("One answer on every instruction set", .serialized, .timeLimit(.minutes(5)))
struct ArithmeticTests {
  private static let sets = ["baseline", "avx2", "avx512"]

  /// Products, convolutions forward and backward, with and without padding, and what lies between them.
  private static let iris = """
    data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
    model:
      - reshape: [1, 2, 2]
      - conv2d: { channels: 6, kernel: 2, padding: 1 }
      - batch_norm
      - tanh
      - conv2d: { channels: 20, kernel: 2, stride: 2, padding: 1 }
      - relu
      - dropout: 0.2
      - affine: 17
      - gelu
      - affine: 3
    optimizer: { adamw: { learning_rate: 0.01 } }
    batch_size: 21
    microbatches: 4

    """

  private func workplace() throws -> Workplace {
    let place = try Workplace()
    try place.write(ArithmeticTests.iris, to: "arithmetic.yaml")
    return place
  }

  private func train(_ place: Workplace, _ set: String, _ arguments: String...) throws {
    let result = try run(
      "nndist", arguments: ["train", "arithmetic.yaml"] + arguments,
      environment: ["NNDIST_MAX_ISA": set], directory: place.url)
    #expect(result.status == 0, "\(set): \(result)")
  }

  @Test("same digest and records; a run goes on from each to the next")
  func sets() throws {
    let place = try workplace()
    for set in ArithmeticTests.sets {
      try train(place, set, "--output", set, "--set", "epochs=3")
      #expect(try place.digest(set, step: 18) == place.digest("baseline", step: 18), "\(set)")
      #expect(try place.records(set) == place.records("baseline"), "\(set)")
    }
    for (index, set) in ArithmeticTests.sets.enumerated() {
      try train(place, set, "--output", "chain", "--set", "epochs=\(index + 1)")
    }
    #expect(try place.digest("chain", step: 18) == place.digest("baseline", step: 18))
    #expect(try place.records("chain") == place.records("baseline"))
  }

  @Test("an unknown one is refused by name")
  func unknown() throws {
    let place = try workplace()
    for command in [["train", "arithmetic.yaml"], ["env"]] {
      let result = try run(
        "nndist", arguments: command, environment: ["NNDIST_MAX_ISA": "avx3"],
        directory: place.url)
      #expect(result.status == 78, "\(result)")
      let line = "nndist: variable NNDIST_MAX_ISA is 'avx3', expected one of baseline"
      #expect(result.error.hasPrefix(line), "\(result)")
    }
  }
}
