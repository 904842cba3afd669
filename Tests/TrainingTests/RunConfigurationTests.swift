// Configurations as a user writes them: defaults, every kind of value, and the words for what is wrong.

import Configuration
import Foundation
import Models
import Optimizers
import TestSupport
import Testing
import Training

@Suite("Configuration of a run")
struct RunConfigurationTests {
  private static let least = "data: { train: train.h5 }\nmodel: [affine: 10]\n"

  private func read(
    _ text: String, _ overrides: [String] = []
  ) throws -> (RunConfiguration, ResolvedConfiguration) {
    let folder = try TemporaryFolder()
    let path = try folder.write(Array(text.utf8), to: "run.yaml")
    return try readConfiguration(path, overrides: overrides)
  }

  @Test("needs training data and a model, all else has defaults")
  func defaults() throws {
    let (configuration, _) = try read(RunConfigurationTests.least)
    #expect(configuration.data.train.hasSuffix("/train.h5"))
    #expect(configuration.data.test == nil)
    #expect(configuration.data.validation == .none)
    #expect(configuration.data.isShuffled)
    #expect(configuration.loss == .softmaxCrossEntropy)
    #expect(configuration.optimizer.rule == .sgd(momentum: 0.9, nesterov: false, weightDecay: 0))
    #expect(configuration.optimizer.learningRate == 0.1)
    #expect(configuration.batchSize == 256)
    #expect(configuration.microbatches == nil)
    #expect(configuration.epochs == 10)
    #expect(configuration.seed == 1)
    #expect(configuration.evaluationInterval == .epoch)
    #expect(configuration.checkpointInterval == .epoch)
    #expect(!configuration.checkpointAtStart)
    #expect(configuration.checkpointsKept == 3)
    #expect(configuration.keepsBest)
    #expect(configuration.metricsInterval == 1)
    #expect(configuration.workers == nil)
  }

  @Test("says beside any optimiser, or without naming one, whether it is sharded")
  func sharded() throws {
    for optimizer in [
      "{ sharded: false }", "{ sgd: 0.5, sharded: false }", "{ sharded: false, adam: {} }",
    ] {
      let (configuration, resolved) = try read(
        RunConfigurationTests.least + "optimizer: \(optimizer)\n")
      #expect(!configuration.isSharded)
      #expect(resolved["optimizer.sharded"] == "false")
    }
    #expect(try read(RunConfigurationTests.least + "optimizer: adam\n").0.isSharded)
    let (configuration, _) = try read(RunConfigurationTests.least, ["optimizer.sharded=false"])
    #expect(!configuration.isSharded)
    #expect(configuration.optimizer.rule == .sgd(momentum: 0.9, nesterov: false, weightDecay: 0))
    #expect(configuration.sharedMemoryLimit == nil)
    for (value, limit) in [("auto", nil), ("false", 1), ("3", 3)] as [(String, Int?)] {
      let overrides = ["run.shared_memory=\(value)"]
      #expect(try read(RunConfigurationTests.least, overrides).0.sharedMemoryLimit == limit)
    }
  }

  @Test("is the same when its resolved form is read")
  func resolvedRoundTrip() throws {
    let folder = try TemporaryFolder()
    let shipped = try FileManager.default.contentsOfDirectory(
      atPath: repository.appendingPathComponent("launch/configs").path
    ).sorted()
    #expect(shipped.contains("digits.yaml"))
    for name in shipped {
      let path = repository.appendingPathComponent("launch/configs/\(name)").path
      let (_, resolved) = try readConfiguration(path, overrides: ["seed=9007199254740993"])
      let again = try folder.write(Array(resolved.yaml.utf8), to: "again.yaml")
      #expect(try readConfiguration(again, overrides: []).1 == resolved, "\(path)")
    }
  }

  @Test(
    "takes short forms",
    arguments: [
      ("evaluation=7", "evaluation.every", "7"), ("checkpoint=never", "checkpoint.every", "never"),
      ("optimizer=adam", "optimizer.adam.beta2", "0.999"),
      ("optimizer.sgd=0.5", "optimizer.sgd.learning_rate", "0.5"),
      ("data.validation=0.25", "data.validation", "0.25"),
      ("data.shuffle=false", "data.shuffle", "false"), ("metrics=5", "metrics.every", "5"),
    ])
  func shortForms(override: String, key: String, value: String) throws {
    #expect(try read(RunConfigurationTests.least, [override]).1[key] == value)
  }

  @Test(
    "names the key, what was found and what was expected",
    arguments: [
      ("batch_size=0", "'batch_size': found 0, expected a positive integer"),
      ("batch_size=1.5", "'batch_size': found 1.5, expected a positive integer"),
      ("bacth_size=4", "unknown key 'bacth_size'; did you mean 'batch_size'?"),
      ("microbatches=0", "'microbatches': found 0, expected an integer from 1 to 65536"),
      ("epochs=-1", "'epochs': found -1, expected an integer from 0 to 2147483647"),
      ("seed=-1", "'seed': found -1, expected an integer of 0 or more"),
      (
        "loss=mse",
        "'loss': unknown loss 'mse'; expected softmax_cross_entropy, mean_squared_error, squared_norm, "
          + "mean_absolute_error, huber or binary_cross_entropy"
      ),
      ("optimizer=adan", "'optimizer': unknown optimizer 'adan'; did you mean 'adam'?"),
      (
        "optimizer.sgd.learning_rate=nan",
        "'optimizer.sgd.learning_rate': found nan, expected a number of 0 or more"
      ),
      (
        "optimizer.sgd.no_decay=[bias, biass]",
        "'optimizer.sgd.no_decay': found [bias, biass], expected a list of words out of weight, bias, "
          + "normalization"
      ),
      (
        "train.clip={norm: 1, value: 2}",
        "'train.clip.value': found 2.0, expected nothing beside norm"
      ),
      ("average.start=3", "'average.start': found 3, expected a decay beside it"),
      (
        "early_stopping=3",
        "'early_stopping': found nothing to evaluate, expected data.validation or data.test"
      ),
      (
        "schedule=plateau",
        "'schedule': found nothing to evaluate, expected data.validation or data.test"
      ),
      (
        "optimizer.sgd.momentum=1",
        "'optimizer.sgd.momentum': found 1, expected a number from 0 to below 1"
      ),
      (
        "optimizer={sgd: {momentum: 0, nesterov: true}}",
        "'optimizer.sgd.nesterov': found true, expected false with momentum 0"
      ),
      ("model=[rleu]", "'model.0': unknown layer 'rleu'; did you mean 'relu'?"),
      ("model=[]", "'model': found an empty list, expected a list of layers"),
      (
        "model=[{affine: 3, name: a/b}]",
        "'model.0.name': found 'a/b', expected a name without '/', since it is part of paths"
      ),
      (
        "evaluation.every=0",
        "'evaluation.every': found 0, expected 'epoch', 'never' or a positive integer"
      ),
      ("data.shuffle=blocks", "'data.shuffle': found blocks, expected 'full' or 'false'"),
      ("data=3", "'data': found 3, expected a map of keys"),
      ("train.on_nonfinite=skip", "'train.on_nonfinite': found skip, expected 'stop'"),
      (
        "run.workers=0",
        "'run.workers': found 0, expected 'auto' or an integer from 1 to 4096"
      ),
    ])
  func refusals(override: String, expected: String) {
    #expect(
      message { _ = try read(RunConfigurationTests.least, [override]) }
        == "--set \(override): \(expected)")
  }

  @Test("says which file and line a fault is in")
  func place() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      Array((RunConfigurationTests.least + "epoch: 3\n").utf8), to: "run.yaml")
    #expect(
      message { _ = try readConfiguration(path, overrides: []) }
        == "\(path):3: unknown key 'epoch'; did you mean 'epochs'?")
    #expect(
      message { _ = try read("model: [affine: 10]\n") }
        .contains("missing key 'data.train', expected the path of a file"))
    #expect(
      message { _ = try readConfiguration("no-such.yaml", overrides: []) }
        == "no-such.yaml: No such file or directory, expected a configuration file")
  }

  @Test("reads the paths of files from the folder of the configuration")
  func paths() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Array(RunConfigurationTests.least.utf8), to: "run.yaml")
    #expect(try readConfiguration(path, overrides: []).0.data.train == folder.file("train.h5"))
  }
}
