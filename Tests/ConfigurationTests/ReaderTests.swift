import Configuration
import Testing

@Suite("Reading a configuration")
struct ReaderTests {
  @Test("gives defaults for absent keys")
  func defaults() throws {
    let sample = try read(required).sample
    #expect(sample.train == "/data/a.h5")
    #expect(sample.validation == .none)
    #expect(sample.shuffle == .full)
    #expect(sample.layers == [.relu(name: nil)])
    #expect(sample.optimizer == .sgd(learningRate: 0.1, momentum: 0))
    #expect(sample.batchSize == 256)
    #expect(sample.microbatches == nil)
    #expect(sample.every == .epoch)
  }

  @Test("lists of maps are bounded before any item is read")
  func longLists() throws {
    let items = [String](repeating: "relu", count: 16385).joined(separator: ", ")
    let error = #expect(throws: ConfigurationError.self) {
      try read("data: { train: a.h5 }\nmodel: [\(items)]")
    }
    #expect(
      error?.description.hasSuffix("'model': found 16385 layers, expected at most 16384") == true)
  }

  @Test("maps of many keys are refused in time that grows with their number")
  func manyKeys() throws {
    let keys = (0..<60_000).map { "k\($0): 1\n" }.joined()
    #expect(throws: ConfigurationError.self) { try read(required + keys) }
  }

  @Test("takes every form of a layer")
  func layers() throws {
    let text = """
      data: { train: /else/a.h5 }
      model:
        - affine: 512
        - relu
        - affine: { units: 16, bias: false }
        - affine: 10
          name: head
        - relu:
          name: last
        - { max_pool2d: [3, 2] }
        - max_pool2d: 3
        - max_pool2d: { kernel: 4 }
      """
    let sample = try read(text).sample
    #expect(sample.train == "/else/a.h5")
    #expect(
      sample.layers == [
        .affine(units: 512, bias: true, name: nil), .relu(name: nil),
        .affine(units: 16, bias: false, name: nil), .affine(units: 10, bias: true, name: "head"),
        .relu(name: "last"), .pool(kernel: [3, 2]), .pool(kernel: [3]), .pool(kernel: [4]),
      ])
  }

  @Test(
    "takes every form of a choice",
    arguments: [
      ("optimizer: adam", Optimizer.adam(learningRate: 0.001, betas: [0.9, 0.999])),
      ("optimizer: { adam: }", .adam(learningRate: 0.001, betas: [0.9, 0.999])),
      (
        "optimizer:\n  adam: { betas: [0.8, 0.99] }",
        .adam(learningRate: 0.001, betas: [0.8, 0.99])
      ),
      ("optimizer: { sgd: { momentum: 9e-1 } }", .sgd(learningRate: 0.1, momentum: 0.9)),
      ("optimizer: { sgd: { learning_rate: 1 } }", .sgd(learningRate: 1, momentum: 0)),
      ("optimizer:", .sgd(learningRate: 0.1, momentum: 0)),
    ])
  func optimizers(text: String, optimizer: Optimizer) throws {
    #expect(try read(required + text).sample.optimizer == optimizer)
  }

  @Test("takes several forms of one key")
  func forms() throws {
    #expect(try read(required + "evaluation: { every: 50 }").sample.every == .steps(50))
    #expect(try read(required + "evaluation: 50").sample.every == .steps(50))
    #expect(try read(required + "evaluation: epoch").sample.every == .epoch)
    let file = try read("data: { train: a, validation: ../b.h5 }\nmodel: [relu]").sample
    #expect(file.validation == .file("/b.h5"))
    let part = try read("data: { train: a, validation: .1, shuffle: False }\nmodel: [relu]").sample
    #expect(part.validation == .fraction(0.1))
    #expect(part.shuffle == .false)
  }

  @Test(
    "refuses a wrong value by name",
    arguments: [
      ("batch_size: 0", "run.yaml:3: 'batch_size': found 0, expected a positive integer"),
      ("batch_size: 1.5", "run.yaml:3: 'batch_size': found 1.5, expected a positive integer"),
      (
        "batch_size: '8'",
        "run.yaml:3: 'batch_size': found the text '8', expected a positive integer"
      ),
      ("batch_size:", "run.yaml:3: 'batch_size': found nothing, expected a positive integer"),
      ("batch_size: [1]", "run.yaml:3: 'batch_size': found [1], expected a positive integer"),
      (
        "batch_size: {a: 1}", "run.yaml:3: 'batch_size': found a map, expected a positive integer"
      ),
      (
        "batch_size: 99999999999999999999",
        "run.yaml:3: 'batch_size': found 99999999999999999999, expected a positive integer"
      ),
      (
        "optimizer: { sgd: { learning_rate: .nan } }",
        "run.yaml:3: 'optimizer.sgd.learning_rate': found .nan, expected a positive number"
      ),
      (
        "optimizer: { sgd: { learning_rate: nan } }",
        "run.yaml:3: 'optimizer.sgd.learning_rate': found nan, expected a positive number"
      ),
      (
        "optimizer: { sgd: { learning_rate: 1e999 } }",
        "run.yaml:3: 'optimizer.sgd.learning_rate': found 1e999, expected a positive number"
      ),
      (
        "optimizer:\n  sgd:\n    momentum: 1",
        "run.yaml:5: 'optimizer.sgd.momentum': found 1, expected a number from 0 to below 1"
      ),
      (
        "optimizer: { adam: { betas: [0.9] } }",
        "run.yaml:3: 'optimizer.adam.betas': found [0.9], expected a list of 2, each a number from "
          + "0 to below 1"
      ),
      ("optimizer: { sgd: 3 }", "run.yaml:3: 'optimizer.sgd': found 3, expected a map of keys"),
      ("nesterov: yes", "run.yaml:3: 'nesterov': found yes, expected true or false"),
      (
        "evaluation: { every: epcoh }",
        "run.yaml:3: 'evaluation.every': found epcoh, expected 'epoch' or a positive integer; did "
          + "you mean 'epoch'?"
      ),
    ])
  func wrongValues(text: String, expected: String) {
    #expect(problem(required + text) == expected)
  }

  @Test(
    "refuses a name that is no alternative",
    arguments: [
      ("optimizer: sdg", "run.yaml:3: 'optimizer': unknown optimizer 'sdg'; did you mean 'sgd'?"),
      (
        "optimizer: lbfgs",
        "run.yaml:3: 'optimizer': unknown optimizer 'lbfgs'; expected sgd or adam"
      ),
      (
        "optimizer: {}",
        "run.yaml:3: 'optimizer': found an empty map, expected one optimizer of sgd or adam"
      ),
      ("optimizer: 3", "run.yaml:3: 'optimizer': found 3, expected one optimizer of sgd or adam"),
      (
        "optimizer: [sgd]",
        "run.yaml:3: 'optimizer': found a list, expected one optimizer of sgd or adam"
      ),
      (
        "optimizer: { sgd: , adam: }",
        "run.yaml:3: 'optimizer': found 'sgd' and 'adam', expected one optimizer"
      ),
    ])
  func wrongAlternatives(text: String, expected: String) {
    #expect(problem(required + text) == expected)
  }

  @Test(
    "refuses a wrong list of layers",
    arguments: [
      ("", "run.yaml: missing key 'model', expected a list of layers"),
      ("model: []", "run.yaml:2: 'model': found an empty list, expected a list of layers"),
      ("model: relu", "run.yaml:2: 'model': found relu, expected a list of layers"),
      (
        "model:\n- relu\n- afine: 10\n  name: x",
        "run.yaml:4: 'model.1': unknown layer 'afine'; did you mean 'affine'?"
      ),
      (
        "model:\n- { name: x, dense: 3 }",
        "run.yaml:3: 'model.0': unknown layer 'name'; expected affine, relu or max_pool2d"
      ),
      (
        "model:\n- { relu: , affine: 3 }",
        "run.yaml:3: 'model.0': found 'relu' and 'affine', expected one layer"
      ),
      (
        "model:\n- affine",
        "run.yaml:3: missing key 'model.0.affine.units', expected a positive integer"
      ),
      (
        "model:\n- affine: x",
        "run.yaml:3: 'model.0.affine.units': found x, expected a positive integer"
      ),
      (
        "model:\n- affine: 3\n  nmae: x",
        "run.yaml:4: unknown key 'model.0.nmae'; did you mean 'name'?"
      ),
      (
        "model:\n- 3",
        "run.yaml:3: 'model.0': found 3, expected one layer of affine, relu or max_pool2d"
      ),
    ])
  func wrongLayers(text: String, expected: String) {
    #expect(problem("data: { train: a.h5 }\n" + text) == expected)
  }

  @Test(
    "refuses keys that nothing asks for",
    arguments: [
      (
        "optimizer: { sgd: { learnin_rate: 1 } }",
        "run.yaml:3: unknown key 'optimizer.sgd.learnin_rate'; did you mean 'learning_rate'?"
      ),
      ("bach_size: 3", "run.yaml:3: unknown key 'bach_size'; did you mean 'batch_size'?"),
      ("zebra: 3", "run.yaml:3: unknown key 'zebra'"),
      ("<<: { batch_size: 3 }", "run.yaml:3: unknown key '<<'"),
      ("optimizer: { sgd: , name: x }", "run.yaml:3: unknown key 'optimizer.name'"),
    ])
  func unknownKeys(text: String, expected: String) {
    #expect(problem(required + text) == expected)
  }

  @Test("names what may be a missing key misspelt")
  func missingKey() {
    #expect(
      problem("data:\n  trian: a\nmodel: [relu]")
        == "run.yaml:2: missing key 'data.train', expected the path of a file; found 'trian', is that it?"
    )
    #expect(
      problem("model: [relu]")
        == "run.yaml: missing key 'data.train', expected the path of a file")
  }

  @Test("lists every key of every alternative")
  func listing() throws {
    let settings = try ConfigurationReader.listing { root throws(ConfigurationError) in
      _ = try Sample(root)
    }
    #expect(
      Setting.table(settings) == """
        data.train                    required      the rows to train on (the path of a file)
        data.validation               unset         rows to choose by (a number above 0 and below 1 or a file)
        data.shuffle                  full          the order of rows ('full' or 'false')
        model[]                       required      layers in order (one layer of affine, relu or max_pool2d)
        model[].affine                              x·Wᵀ + b (a map of keys)
        model[].affine.units          required      outputs (a positive integer)
        model[].affine.bias           true          whether b is there (true or false)
        model[].name                  unset         the layer's name (text)
        model[].relu                                max(x, 0) (a map of keys)
        model[].max_pool2d                          maxima (a map of keys)
        model[].max_pool2d.kernel     [2]           extents (a positive integer or a list of 2 of them)
        optimizer                     sgd           how parameters change (one optimizer of sgd or adam)
        optimizer.sgd                               stochastic gradient descent (a map of keys)
        optimizer.sgd.learning_rate   0.1           step size (a positive number)
        optimizer.sgd.momentum        0.0           share kept of the last step (a number from 0 to below 1)
        optimizer.adam                              Adam (a map of keys)
        optimizer.adam.learning_rate  0.001         step size (a positive number)
        optimizer.adam.betas          [0.9, 0.999]  decay (a list of 2, each a number from 0 to below 1)
        batch_size                    256           rows of a step (a positive integer)
        microbatches                  chosen        parts of a batch (a positive integer)
        nesterov                      false         look ahead (true or false)
        evaluation.every              epoch         how often ('epoch' or a positive integer)

        """)
  }
}
