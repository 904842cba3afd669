// Whole runs by a backend that knows no kernel of the CPU's.

import CPUBackend
import Execution
import Models
import Tensors
import TestSupport
import Testing
import Training

@Suite("Runs on another backend")
struct BackendTests {
  /// Images, dropout, and a normalization over all microbatches, so that steps are cut into segments.
  private static let digits = """
    data: { train: \(bundled("digits-test")), test: \(bundled("digits-test")) }
    model:
      - conv2d: { channels: 2, kernel: 3, stride: 2 }
      - batch_norm: { statistics: STATISTICS }
      - relu
      - max_pool2d: 2
      - dropout: 0.2
      - affine: 10
    optimizer: { sgd: { learning_rate: 0.1, momentum: 0.9 } }
    batch_size: 64
    microbatches: 4
    epochs: 1
    checkpoint: { at_start: true }
    seed: 5

    """

  /// The largest distance of parameters after a run, relative to the distance gone.
  private func distance(_ folder: RunFolder, _ name: String, _ other: String) throws -> Double {
    let checkpoint = "step-000000000"
    func parameters(_ run: String, _ step: String) throws -> [Double] {
      try folder.parameters("\(run)/checkpoints/\(checkpoint)\(step).h5", isRaw: true).elements
        .map { Double($0) }
    }
    let last = String(try #require(folder.checkpointSteps(name).last))
    let (start, a, b) = try (
      parameters(name, "0"), parameters(name, last), parameters(other, last)
    )
    func largest(_ x: [Double], _ y: [Double]) -> Double {
      zip(x, y).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }
    return largest(a, b) / largest(a, start)
  }

  @Test(
    "a run ends where it ends on the CPU, but for rounding, whatever the workers",
    arguments: ["microbatch", "batch"])
  func digits(statistics: String) throws {
    let folder = try RunFolder()
    let path = try folder.write(
      BackendTests.digits.replacing("STATISTICS", with: statistics))
    let (cpu, _) = try folder.train(path, to: "cpu")
    let wishes = CPU().preferences(for: .float)
    for (name, preferences) in [("plain", BackendPreferences()), ("fused", wishes)] {
      let (session, ending) = try folder.train(
        path, to: name, backend: InterpreterBackend(preferences))
      #expect(ending == .finished)
      #expect(try distance(folder, "cpu", name) < 1e-3)
      let (found, expected) = try (
        #require(session.evaluations.last?.evaluation), #require(cpu.evaluations.last?.evaluation)
      )
      #expect(abs(found.loss - expected.loss) < 1e-4 * expected.loss)
    }
    try folder.train(
      path, ["run.workers=3", "run.group=1"], to: "three", backend: InterpreterBackend(wishes))
    #expect(try folder.digest("three") == folder.digest("fused"))
  }

  @Test("a precision that a backend has no products for is refused")
  func precision() throws {
    let folder = try RunFolder()
    let path = try folder.write(BackendTests.digits.replacing("STATISTICS", with: "batch"))
    let text = message {
      try folder.train(path, ["train.precision=bf16"], backend: InterpreterBackend())
    }
    #expect(text.contains("train.precision is bf16"), "\(text)")
  }

  @Test("the device is a key, and there is one")
  func device() throws {
    let folder = try RunFolder()
    let path = try folder.write(BackendTests.digits.replacing("STATISTICS", with: "batch"))
    #expect(message { try folder.train(path, ["device=abacus"]) }.contains("device"))
  }
}
