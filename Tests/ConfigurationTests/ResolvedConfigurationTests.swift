import Configuration
import Testing

@Suite("Resolved configuration")
struct ResolvedConfigurationTests {
  @Test("holds every key in one canonical text")
  func text() throws {
    let text = """
      evaluation: 50
      optimizer: adam
      data: { validation: 0.10, train: 'my data/a.h5' }
      model:
        - affine: 512
        - relu
        - { name: head, affine: { units: 0x0A } }
        - max_pool2d: [2, 2]
      """
    #expect(
      try read(text).resolved.yaml == """
        data:
          train: "/data/my data/a.h5"
          validation: 0.1
          shuffle: full
        model:
          - affine:
              units: 512
              bias: true
            name: null
          - relu: {}
            name: null
          - affine:
              units: 10
              bias: true
            name: head
          - max_pool2d:
              kernel: [2, 2]
        optimizer:
          adam:
            learning_rate: 0.001
            betas: [0.9, 0.999]
        batch_size: 256
        microbatches: null
        nesterov: false
        evaluation:
          every: 50

        """)
  }

  @Test("reads back as the same")
  func roundTrip() throws {
    let (sample, resolved) = try read(
      "data: { train: \"ä \\\"b\\\" \\\\c\\x07\", validation: 1e-9, shuffle: false }\n"
        + "model: [affine: 1, relu]\noptimizer: {sgd: {learning_rate: 1e-7}}")
    let again = try read(resolved.yaml)
    #expect(again.sample == sample)
    #expect(again.resolved.yaml == resolved.yaml)
    #expect(again.resolved == resolved)
    let parsed = try ResolvedConfiguration(yaml: resolved.yaml, source: "config.yaml")
    #expect(parsed == resolved)
    #expect(resolved["optimizer.sgd.learning_rate"] == "1.0e-07")
  }

  @Test("keeps every bit of numbers and every character of text")
  func scalars() throws {
    var numbers: [Double] = [0.1, 1.0 / 3, -0.0, 1e22, 123_456_789]
    numbers += [.leastNonzeroMagnitude, .greatestFiniteMagnitude]
    var state: UInt64 = 1
    for _ in 0..<2_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let number = Double(bitPattern: state)
      if number.isFinite { numbers.append(number) }
    }
    let texts = [
      "null", "~", "true", "no", "Off", "1", "1.5", "0x1", "010", ".nan", "-", "- a", "a: b",
      "a #b",
      " a", "a ", "'", "\"", "\\", "\n", "a\tb", "[a]", "{a}", "&a", "*a", "!a", "%a", "@a", "`a",
      "ü€𝄞", "\u{85}\u{2028}", "=", "<<", "1e5", "2001-01-01", "y", "a,b", "?", "|", ">", "\u{1F}",
    ]
    func read(_ text: String) throws -> ([Double], [String], String) {
      let reader = ConfigurationReader(try ConfigurationTree(text: text, source: "x"))
      let numbers = try reader.root.numbers("numbers", default: numbers, meaning: "numbers")
      let section = try reader.root.section("texts")
      let read = try texts.indices.map { index in
        try section.string("t\(index)", default: texts[index], meaning: "text")
      }
      return (numbers, read, try reader.finish().yaml)
    }
    let (_, _, yaml) = try read("{}")
    let again = try read(yaml)
    #expect(again.0.map(\.bitPattern) == numbers.map(\.bitPattern))
    #expect(again.1 == texts)
    #expect(again.2 == yaml)
  }

  @Test("takes a value that was chosen after reading")
  func chosen() throws {
    let resolved = try read(required).resolved.setting("microbatches", to: 8)
    #expect(resolved["microbatches"] == "8")
    #expect(try read(resolved.yaml).sample.microbatches == 8)
  }

  @Test("names the keys in which two differ")
  func differences() throws {
    let begun = try read(required + "batch_size: 128").resolved
    let now = try read(
      required + "optimizer: adam\nevaluation: 3", set: ["model.1=relu"]
    ).resolved
    #expect(
      now.differences(from: begun, ignoring: ["evaluation", "model"]).map(\.description) == [
        "'batch_size' is 256, not 128",
        "'optimizer.adam.betas' is [0.9, 0.999], not absent",
        "'optimizer.adam.learning_rate' is 0.001, not absent",
        "'optimizer.sgd.learning_rate' is absent, not 0.1",
        "'optimizer.sgd.momentum' is absent, not 0.0",
      ])
    #expect(now.differences(from: now).isEmpty)
    do {
      try now.requireSame(
        as: begun, source: "runs/3/config.yaml", except: ["evaluation", "epochs"])
      Issue.record("nothing refused")
    } catch {
      #expect(
        "\(error)"
          == "runs/3/config.yaml: 'batch_size' is 128, not 256; only evaluation and epochs may change"
      )
    }
  }
}
