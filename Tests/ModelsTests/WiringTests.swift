// Models that are no chain: names, blocks, shared parameters, and what is refused of them.
import Configuration
import Graphs
import Models
import Tensors
import TestSupport
import Testing

private func network(_ model: String, shape: Shape = [2, 6, 5]) throws -> Network {
  let tree = try ConfigurationTree(
    text: "model: \(model)", source: "run.yaml", folder: "/data", overrides: [])
  let reader = ConfigurationReader(tree)
  let layers = try Layer.read(from: reader.root)
  _ = try reader.finish()
  return try Network(
    layers: layers, loss: .softmaxCrossEntropy, sampleShape: shape, targets: .labels)
}

private func problem(_ model: String, shape: Shape = [2, 6, 5]) -> String {
  do {
    _ = try network(model, shape: shape)
    return "no error"
  } catch {
    return "\(error)"
  }
}

@Suite("Models that are no chain")
struct WiringTests {
  @Test("layers, elements and parameters beyond all bounds are refused before they are built")
  func bounds() {
    let inner = "repeat: { times: 65536, layers: [relu] }"
    #expect(
      problem("[{ repeat: { times: 65536, layers: [{ \(inner) }] } }, affine: 3]")
        == "layer 'repeat1': found 65536 × 1 layers, expected at most 16384 in all")
    #expect(
      problem("[{ repeat: { times: 128, layers: [{ repeat: { times: 129, layers: [relu] } }] } }]")
        == "layer 'repeat1': found 128 × 129 layers, expected at most 16384 in all")
    #expect(problem("[{ repeat: { times: 16383, layers: [relu] } }, affine: 3]") == "no error")
    #expect(
      problem("[{ repeat: { times: 16384, layers: [relu] } }, affine: 3]")
        == "layer 'affine1': found more layers up to it, expected at most 16384 in all")
    let large = "16777216, 16777216, 16777216, 16777216"
    #expect(
      problem("[reshape: [\(large)], affine: 3]")
        == "layer 'reshape1': found an input of shape [2, 6, 5], expected as many elements as "
        + "[\(large)]")
    #expect(
      problem("[conv2d: { channels: 1048576, kernel: [65536, 65536], padding: 65536 }]").hasPrefix(
        "parameter 'conv2d1/weight': found "))
    #expect(
      problem(
        "[pad: { before: 16777216 }, pad: { axis: 1, before: 16777216 }, affine: 3]"
      ) == "pad 'pad2': found [batch, 16777218, 16777222, 5] elements, expected at most "
        + "281474976710656")
    #expect(
      problem(
        "[affine: 16777216, { repeat: { times: 16, layers: [affine: 16777216] } }, affine: 3]"
      )
        == "layer 'repeat1.16.affine1': found 4503600902438912 parameters up to it, expected at most "
        + "4503599627370496")
  }

  @Test("names mean layers before, blocks their last round")
  func names() throws {
    let found = try network(
      """

        - conv2d: { channels: 3, kernel: 3, padding: 1 }
          name: stem
        - repeat:
            times: 2
            layers:
              - conv2d: { channels: 3, kernel: 3, padding: 1 }
              - relu
              - add:
                from: [input, relu1]
          name: stage
        - concatenate:
          from: [stem, stage.1.relu1, stage]
        - slice: { start: 2, end: 7 }
        - pad: { axis: 1, after: 1 }
        - multiply:
          from: [pad1, pad1, pad1]
        - affine: 3
      """)
    #expect(
      found.layers.map(\.name) == [
        "stem", "stage.1.conv2d1", "stage.1.relu1", "stage.1.add1", "stage.2.conv2d1",
        "stage.2.relu1", "stage.2.add1", "concatenate1", "slice1", "pad1", "multiply1", "affine1",
      ])
    let inputs = found.layers.filter { !$0.inputs.isEmpty }.map(\.inputs)
    let expected = [
      ["stem", "stage.1.relu1"], ["stage.1.add1", "stage.2.relu1"],
      ["stem", "stage.1.relu1", "stage.2.add1"], ["pad1", "pad1", "pad1"],
    ]
    #expect(inputs == expected)
    #expect(
      found.layers.suffix(5).map(\.outputShape)
        == [[9, 6, 5], [5, 6, 5], [5, 7, 5], [5, 7, 5], [3]])
    #expect(
      found.parameters.map(\.name) == [
        "stem/weight", "stem/bias", "stage.1.conv2d1/weight", "stage.1.conv2d1/bias",
        "stage.2.conv2d1/weight", "stage.2.conv2d1/bias", "affine1/weight", "affine1/bias",
      ])
    let activations = found.layers.map(\.activationCount)
    #expect(activations == [90, 90, 90, 90, 90, 90, 90, 270, 150, 175, 175, 3])
    found.graph.verify()
  }

  @Test("names in a block hide those around it, blocks in blocks have names too")
  func scopes() throws {
    let found = try network(
      """
      [{affine: 4, name: a}, {repeat: {times: 1, layers: [{affine: 4, name: a}, \
      {repeat: {times: 2, layers: [relu, {add: , from: [a, relu1, input]}]}}, \
      {add: , from: [repeat1.1, repeat1]}]}}, {affine: 2, from: samples, name: skip}, \
      {concatenate: , from: [repeat1, skip, a, repeat1.1.repeat1.2.relu1]}]
      """)
    #expect(
      found.layers.map { "\($0.name) \($0.inputs)" } == [
        "a []", "repeat1.1.a []", "repeat1.1.repeat1.1.relu1 []",
        #"repeat1.1.repeat1.1.add1 ["repeat1.1.a", "repeat1.1.repeat1.1.relu1", "repeat1.1.a"]"#,
        "repeat1.1.repeat1.2.relu1 []",
        #"repeat1.1.repeat1.2.add1 ["repeat1.1.a", "repeat1.1.repeat1.2.relu1", "repeat1.1.repeat1.1.add1"]"#,
        #"repeat1.1.add1 ["repeat1.1.repeat1.1.add1", "repeat1.1.repeat1.2.add1"]"#,
        #"skip ["samples"]"#,
        #"concatenate1 ["repeat1.1.add1", "skip", "a", "repeat1.1.repeat1.2.relu1"]"#,
      ])
    #expect(found.outputCount == 14)
  }

  @Test("shared parameters are there once; frozen blocks freeze, factors multiply")
  func parameters() throws {
    let found = try network(
      """
      [{affine: 6, name: a}, {affine: 6, name: b, learning_rate: 0.5}, {affine: 6, share: b}, \
      {affine: 6, share: affine3}, {repeat: {times: 2, layers: [{affine: 6, learning_rate: 3}]}, \
      learning_rate: 2}, {repeat: {times: 1, layers: [relu, {affine: 3}]}, frozen: true}, {affine: 2}]
      """)
    #expect(
      found.parameters.map(\.name).filter { $0.hasSuffix("weight") } == [
        "a/weight", "b/weight", "repeat1.1.affine1/weight", "repeat1.2.affine1/weight",
        "repeat2.1.affine1/weight", "affine5/weight",
      ])
    #expect(
      found.parameters.map(\.learningRateFactor) == [1, 1, 0.5, 0.5, 6, 6, 6, 6, 1, 1, 1, 1])
    #expect(found.parameters.filter(\.isFrozen).map(\.name.first) == ["r", "r"])
    #expect(
      found.layers.map(\.sharedWith) == [nil, nil, "b", "b", nil, nil, nil, nil, nil])
    #expect(found.layers.map(\.isFrozen).filter { $0 }.count == 1)
    #expect(found.layers.map(\.parameterCount) == [366, 42, 0, 0, 42, 42, 0, 21, 8])
  }

  @Test(
    "what cannot be is refused with the layer's name",
    arguments: [
      (
        "[{affine: 4, name: first}, {add: , from: [first, frist]}, {affine: 2}]",
        "layer 'add1': 'from' names 'frist', but no layer has that name; did you mean 'first'?"
      ),
      (
        "[{affine: 4, from: input}, {affine: 2}]",
        "layer 'affine1': 'from' names 'input', but no layer has that name; did you mean 'samples'?"
      ),
      (
        "[{affine: 4, name: a}, {add: , from: [a, b]}, {affine: 4, name: b}]",
        "layer 'add1': found 'from: b', which does not come before it, expected a layer before it"
      ),
      (
        "[{affine: 4, name: a, from: a}]",
        "layer 'a': found 'from: a', which does not come before it, expected a layer before it"
      ),
      (
        "[{affine: 4}, add, {affine: 2}]",
        "layer 'add1': found 1 input, expected two or more, such as 'from: [a, b]'"
      ),
      (
        "[{affine: 4}, {relu: , from: [samples, affine1]}, {affine: 2}]",
        "layer 'relu1': found 2 inputs, expected 1"
      ),
      (
        "[{affine: 4}, {relu: , from: affine1}, {affine: 2, from: affine1}]",
        "layer 'relu1': found no layer that takes its output, expected one, or the layer as the last one"
      ),
      (
        "[{affine: 4}, {affine: 5}, {add: , from: [affine1, affine2]}]",
        "layer 'add1': found inputs of shapes [4], [5], expected the same, but for axes of length 1"
      ),
      (
        "[{affine: 60}, {multiply: , from: [affine1, samples]}, {affine: 2}]",
        "layer 'multiply1': found inputs of shapes [60], [2, 6, 5], "
          + "expected the same, but for axes of length 1"
      ),
      (
        "[{max_pool2d: 2}, {concatenate: 0, from: [max_pool2d1, samples]}, {affine: 2}]",
        "layer 'concatenate1': found inputs of shapes [2, 3, 2], [2, 6, 5], "
          + "expected the same but for axis 0"
      ),
      (
        "[relu, {concatenate: 3, from: [relu1, samples]}, {affine: 2}]",
        "layer 'concatenate1': found axis 3 of an input of shape [2, 6, 5], expected one of its axes"
      ),
      (
        "[{slice: {axis: 1, start: 2, end: 7}}, {affine: 2}]",
        "layer 'slice1': found elements 2 ..< 7 of axis 1, expected some of 0 ..< 6"
      ),
      (
        "[{slice: {axis: 2, start: 5}}, {affine: 2}]",
        "layer 'slice1': found elements 5 ..< 5 of axis 2, expected some of 0 ..< 5"
      ),
      (
        "[{slice: {axis: 4}}, {affine: 2}]",
        "layer 'slice1': found axis 4 of an input of shape [2, 6, 5], expected one of its axes"
      ),
      ("[pad, {affine: 2}]", "layer 'pad1': found 0 zeros before and 0 after, expected some"),
      (
        "[{affine: 2, name: samples}]",
        "a layer is named 'samples', which stands for what a model or block is given"
      ),
      (
        "[{repeat: {times: 2, layers: [{affine: 2}]}, from: [samples, samples], name: stage}]",
        "layer 'stage': found 2 inputs, expected 1"
      ),
      (
        "[{repeat: {times: 2, layers: [{affine: 4}]}}, {affine: 4, share: repeat1}, {affine: 2}]",
        "layer 'affine1': found 'share: repeat1', expected the name of a single layer"
      ),
      (
        "[{affine: 4}, {repeat: {times: 2, layers: [{affine: 4}]}, share: affine1}]",
        "layer 'repeat1': found 'share' of a block, expected 'share' on the layers in it"
      ),
      (
        "[{affine: 4}, {affine: 5, share: affine1}]",
        "layer 'affine2': found a weight of shape [4, 60] in 'affine1', whose parameters it shares, "
          + "expected [5, 4]"
      ),
      (
        "[{affine: 4}, {affine: {units: 4, bias: false}}, {affine: {units: 4, bias: false}, share: affine1}]",
        "layer 'affine3': found a weight of shape [4, 60] in 'affine1', whose parameters it shares, "
          + "expected [4, 4]"
      ),
      (
        "[{affine: 4}, {affine: 4}, {affine: {units: 4, bias: false}, share: affine2}]",
        "layer 'affine3': found a bias in 'affine2', whose parameters it shares, "
          + "expected a layer that has the same"
      ),
      (
        "[{affine: 4}, {affine: {units: 4, bias: false}}, {affine: 4, share: affine2}]",
        "layer 'affine3': found no bias in 'affine2', whose parameters it shares, "
          + "expected one of shape [4]"
      ),
      (
        "[relu, {relu: , share: relu1}, {affine: 2}]",
        "layer 'relu2': found 'share' of 'relu1', expected a layer with parameters"
      ),
      (
        "[instance_norm, {group_norm: 2, share: instance_norm1}, {affine: 2}]",
        "layer 'group_norm1': found 'instance_norm1', which is instance_norm, to share parameters "
          + "with, expected a layer that is group_norm"
      ),
      (
        "[{affine: 4}, {affine: 4}, {affine: 4, share: affine2, frozen: true}]",
        "layer 'affine3': found 'frozen', expected it at 'affine2', whose parameters the layer shares"
      ),
      (
        "[{affine: 4}, {affine: 4}, {affine: {units: 4, weight: zeros}, share: affine2}]",
        "layer 'affine3': found initial values of its own, expected those of 'affine2', whose "
          + "parameters the layer shares"
      ),
      (
        "[{affine: 4}, {embedding: {count: 5, units: 2}}, {affine: 2}]",
        "layer 'embedding1': found numbers that are add of 'affine1', "
          + "expected those of the samples, at most sliced, permuted or in another shape"
      ),
      (
        "[flatten, {affine: {units: 4, weight: zeros, weight_norm: true}}]",
        "layer 'affine1': found 'weight_norm' of initial weights 0, "
          + "expected others, to divide by their norm"
      ),
      (
        "[{affine: 4}, {affine: {units: 4, weight_norm: true}, share: affine1}]",
        "layer 'affine2': found no weight_direction in 'affine1', whose parameters it shares, "
          + "expected one of shape [4, 4]"
      ),
      (
        "[{embedding: {units: 2}}]",
        "run.yaml:1: missing key 'model.0.embedding.count', expected an integer from 1 to 16777216"
      ),
      (
        "[{repeat: {times: 2, layers: [{afine: 4}]}}]",
        "run.yaml:1: 'model.0.repeat.layers.0': unknown layer 'afine'; did you mean 'affine'?"
      ),
      (
        "[{repeat: {times: 0, layers: [relu]}}]",
        "run.yaml:1: 'model.0.repeat.times': found 0, expected an integer from 1 to 65536"
      ),
      (
        "[{affine: 4, from: []}]",
        "run.yaml:1: 'model.0.from': found an empty list, expected the name of a layer or a list of 2 to "
          + "1024 of them"
      ),
    ])
  func refusals(_ model: String, _ message: String) {
    #expect(problem(model) == message)
  }

  @Test("numbers that name rows of tables are known by their places in a sample")
  func wholeNumbers() throws {
    let found = try network(
      """
      [{slice: {axis: 2, start: 1, end: 3}}, {permute: [2, 0, 1]}, {slice: {axis: 2, start: 5}}, \
      {embedding: {count: 9, units: 2}, name: first}, {slice: {start: 1}, from: samples}, flatten, \
      {slice: {end: 2}}, {embedding: {count: 3, units: 1}}, {flatten: , from: first}, \
      {flatten: , from: embedding2}, {concatenate: , from: [flatten2, flatten3]}]
      """)
    #expect(found.wholeNumbers.map(\.layer) == ["first", "embedding2"])
    #expect(found.wholeNumbers.map(\.count) == [9, 3])
    #expect(found.wholeNumbers.map(\.elements) == [[26, 56, 27, 57], [30, 31]])
    #expect(found.layers.first { $0.name == "first" }?.outputShape == [2, 2, 1, 2])
    #expect(try network("[{affine: 2}]").wholeNumbers.isEmpty)
  }

  @Test(
    "normalised weights begin as they would without", arguments: ["conv2d", "conv_transpose2d"])
  func weightNorm(kind: String) throws {
    let found = try network(
      "[{\(kind): {channels: 6, kernel: 3, groups: 2, weight_norm: true}}, {affine: 2}]")
    #expect(
      found.parameters.prefix(3).map { String($0.name.dropFirst(kind.count + 2)) }
        == ["weight_direction", "weight_scale", "bias"])
    #expect(found.parameters.prefix(3).map(\.kind) == [.weight, .normalization, .bias])
    let vector = FloatBuffer(count: found.layout.count)
    found.writeInitialValues(into: vector, seed: 3)
    let (v, g) = (found.layout.ranges[0], found.layout.ranges[1])
    #expect(g.shape == [6])
    let area = 9
    for output in 0..<6 {
      var square = 0.0
      for index in v.indices {
        // [out, in / groups, ...] or [in, out / groups, ...]: here each has one input per group.
        let value = Double(vector.pointer[index])
        if (index - v.offset) / area == output { square += value * value }
      }
      #expect(abs(Double(vector.pointer[g.offset + output]) - square.squareRoot()) < 1e-6)
    }
  }

  @Test("resolved configurations read back as the same layers")
  func resolved() throws {
    let text = """
      model:
        - repeat:
            times: 2
            layers:
              - affine: 4
                name: inner
              - add:
                from: [inner, inner]
          frozen: true
        - affine: 2
          share: repeat1.2.inner
      """
    func read(_ text: String) throws -> ([Layer], String) {
      let reader = ConfigurationReader(
        try ConfigurationTree(text: text, source: "run.yaml", folder: "/data", overrides: []))
      let layers = try Layer.read(from: reader.root)
      return (layers, try reader.finish().yaml)
    }
    let (layers, resolved) = try read(text)
    let (again, same) = try read(resolved)
    #expect(layers == again && resolved == same)
    let block = Layer(
      repeating: [.affine(4, name: "inner"), Layer(.add, from: ["inner", "inner"])], times: 2,
      isFrozen: true)
    #expect(layers == [block, .affine(2, sharing: "repeat1.2.inner")])
  }
}
