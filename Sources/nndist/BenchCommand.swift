import ArgumentParser
import Benchmarks
import Communication
import Configuration
import DataParallel
import Execution
import Foundation
import Models
import Runs
import Tensors
import Training

/// `nndist bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures the program beside the kernels it stands on.",
    subcommands: [BenchStepCommand.self, BenchReductionCommand.self])
}

/// `nndist bench reduction`.
struct BenchReductionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reduction",
    abstract:
      "Measures the sum of gradients over ranks beside MPI_Allreduce; prints one line of JSON.",
    discussion: """
      Ours adds in the order of the tree, whatever the ranks; MPI_Allreduce adds in an order that \
      depends on ranks and size. OMPI_MCA_coll_tuned_use_dynamic_rules=1 and \
      OMPI_MCA_coll_tuned_allreduce_algorithm=N choose its algorithm.
      """)

  @Option(help: "The size of a gradient, in units of 10⁶ bytes.") var megabytes: Double
  @Option(name: .customLong("shared-memory"), help: "The most ranks of a host that share memory.")
  var sharedMemoryLimit: Int?

  func validate() throws {
    guard megabytes > 0, megabytes <= 8000 else {
      throw ValidationError("--megabytes: found \(megabytes), expected a number up to 8000")
    }
    if let sharedMemoryLimit, sharedMemoryLimit < 1 {
      throw ValidationError("--shared-memory: found \(sharedMemoryLimit), expected 1 or more")
    }
  }

  func run() throws {
    Job.onAllRanks(self) { communicator in
      let count = Int(megabytes * 1e6 / 4)
      let bench = try ReductionBench.measure(
        count: count, sharedMemoryLimit: sharedMemoryLimit,
        backend: RunConfiguration.Device.cpu.backend, communicator: communicator)
      guard communicator.isRoot else { return 0 }
      print(
        jsonObject([
          ("case", .string("reduction")), ("ranks", .integer(communicator.size)),
          ("groups", .integer(bench.groupCount)), ("elements", .integer(count)),
          ("ours_ms", .double(milliseconds(bench.ours))),
          ("allreduce_ms", .double(milliseconds(bench.allreduce))),
          ("ratio", .double(rounded(bench.allreduce.seconds / bench.ours.seconds))),
          ("version", .string(Version.text)),
        ]))
      return 0
    }
  }
}

private func milliseconds(_ duration: Duration) -> Double { rounded(duration.seconds * 1000) }

private func rounded(_ value: Double) -> Double { (value * 10000).rounded() / 10000 }

/// `nndist bench step`.
struct BenchStepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step",
    abstract: "Measures training steps on random rows in memory; prints one line of JSON.",
    discussion: """
      The floor is the bare oneDNN matrix products and convolutions of a step with one microbatch, in the \
      layouts that the library prefers, and one pass of momentum, run on one core in the same process \
      between the steps.
      """)

  @Argument(help: "The configuration; its data is not read.") var path: String
  @Option(help: "The extents of a sample, such as 784 or 3,32,32.") var samples: String
  @Option(help: "The number of classes of the labels.") var classes: Int?
  @Option(help: "The number of responses per row.") var responses: Int?
  @Option(name: .customLong("set"), help: "Overrides a key of the configuration: key.path=value.")
  var overrides: [String] = []
  @Option(help: "The name of the case in the output.") var name: String?
  @Flag(
    name: .customLong("free-order"),
    help: "Also measures steps whose gradients MPI_Allreduce adds in its own order.")
  var comparesFreeOrder = false

  @Flag(name: .customLong("no-floor"), help: "Does not measure the floor.") var omitsFloor = false
  @Option(help: "The number of times that steps and floor take turns, at most.") var rounds = 15
  @Option(help: "The number of steps in each round; by default what takes 0.2 s.") var steps: Int?
  @Flag(
    name: .customLong("profile"),
    help:
      "Prints where the time of a step goes, phase by phase and call by call, to standard error.")
  var isProfiled = false
  @Option(
    name: .customLong("trace"),
    help: "Writes what all workers did in up to 20 steps, JSON in the Trace Event Format.")
  var tracePath: String?

  func validate() throws {
    _ = try sampleExtents(samples)
    guard rounds > 0 else {
      throw ValidationError("--rounds: found \(rounds), expected 1 or more")
    }
    if let steps, steps < 1 {
      throw ValidationError("--steps: found \(steps), expected 1 or more")
    }
    guard (classes == nil) != (responses == nil), (classes ?? responses ?? 0) > 0 else {
      throw ValidationError("expected either --classes or --responses, a positive number")
    }
  }

  func run() throws {
    Job.onAllRanks(self) { communicator in
      let (network, configuration, resolved) = try communicator.agreeingOnFailure { try build() }
      try communicator.requireSame(
        configuration.environment.description, named: "arithmetic")
      try communicator.requireSame(resolved.yaml, named: "configuration")
      let bench = try StepBench.measure(
        network, targets: targets, configuration: configuration, options: options,
        communicator: communicator)
      guard communicator.isRoot else { return 0 }
      let name = name ?? URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      let free: [(key: String, value: JSONValue)] =
        bench.freeOrderStep.map {
          [
            ("free_order_ms", .double(milliseconds($0))),
            ("exact_to_free", .double(rounded(bench.step.seconds / $0.seconds))),
          ]
        } ?? []
      let floor: [(key: String, value: JSONValue)] =
        bench.floor.map {
          [
            ("floor_ms", .double(milliseconds($0.median))),
            ("floor_ms_min", .double(milliseconds($0.least))),
            ("ratio", .double(rounded(bench.step / $0.median))),
          ]
        } ?? []
      print(
        jsonObject(
          [
            ("case", .string(name)), ("ranks", .integer(communicator.size)),
            ("workers", .integer(bench.workers)), ("microbatches", .integer(bench.microbatches)),
            ("batch", .integer(configuration.batchSize)),
            ("parameters", .integer(bench.parameterCount)),
            ("step_ms", .double(milliseconds(bench.step))),
            ("step_ms_min", .double(milliseconds(bench.range.least))),
            ("step_ms_max", .double(milliseconds(bench.range.largest))),
          ] + floor + [
            (
              "rows_per_second",
              .double((Double(configuration.batchSize) / bench.stepInARow.seconds).rounded())
            ),
            ("peak_megabytes", .double(rounded(Double(bench.peakByteCount) / 1e6))),
            ("isa", .string(configuration.backend.machine.isa)),
            ("binding", .string(binding(communicator.placement))),
            ("version", .string(Version.text)),
          ] + free))
      if let profile = bench.profile { profileLines(profile).forEach(printErrorLine) }
      return 0
    }
  }

  private var options: StepBench.Options {
    var options = StepBench.Options()
    options.comparesFreeOrder = comparesFreeOrder
    options.measuresFloor = !omitsFloor
    options.isProfiled = isProfiled
    options.tracePath = tracePath
    options.rounds = rounds
    options.stepsPerRound = steps
    return options
  }

  private var targets: Network.Targets { responses.map { .responses($0) } ?? .labels }

  private func build() throws -> (Network, RunConfiguration, ResolvedConfiguration) {
    // The benchmark needs no data files.
    let data = ["data.train=none", "data.test=null", "data.validation=null"]
    let (configuration, resolved) = try readConfiguration(path, overrides: overrides + data)
    let shape = Shape(try sampleExtents(samples))
    let network = try configuration.network(sampleShape: shape, targets: targets)
    try network.requireMemory(for: configuration.optimizer, rankCount: 1)
    if let classes, network.outputCount != classes {
      throw ModelError.outputs(
        loss: configuration.loss.configurationName, found: "\(network.outputCount) outputs",
        expected: "\(classes) classes")
    }
    return (network, configuration, resolved)
  }

  private func binding(_ placement: Placement) -> String {
    "cores " + placement.cores.map(String.init).joined(separator: ",")
  }
}
