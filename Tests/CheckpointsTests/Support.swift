import Checkpoints
import Tensors

/// A small model: two arrays of one layer, one without axes, and one running average.
struct Sample {
  let parameters = FlatLayout([
    (name: "affine1/weight", shape: [2, 3]), (name: "affine1/bias", shape: [3]),
    (name: "scale/one", shape: []),
  ])
  let averages = FlatLayout([(name: "norm/mean", shape: [5])])
  let parameterVector: FloatBuffer
  let momentumVector: FloatBuffer
  let averageVector: FloatBuffer
  var record = RunRecord()

  init(step: Int = 10) {
    parameterVector = FloatBuffer(count: parameters.count)
    momentumVector = FloatBuffer(count: parameters.count)
    averageVector = FloatBuffer(count: averages.count)
    for (index, range) in parameters.ranges.enumerated() {
      let formulas: [(Int) -> Float] = [
        { Float($0) / 2 - 1 }, { Float($0) * -1.75 }, { _ in 3.25 },
      ]
      for i in 0..<range.count {
        parameterVector.elements[range.offset + i] = formulas[index](i)
        momentumVector.elements[range.offset + i] = Float(100 * (index + 1) + i)
      }
    }
    for i in 0..<5 { averageVector.elements[i] = 0.125 * Float(i) }
    record.step = step
    record.epoch = 2
    record.position = 96
    record.seed = .max
    record.configuration = "seed: 1\nname: \"ü𝄞\"\n"
    record.state = [
      "rate": .number(1.0 / 3), "waited": .integer(-3), "rule": .text("patience"),
      "history": .numbers([0.1, -0.0, .infinity]), "none": .numbers([]), "empty": .text(""),
    ]
    record.data = ["train": "00ff", "test": "11ee"]
    record.versions = ["nndist": "0.1.0"]
  }

  var content: CheckpointContent {
    var content = CheckpointContent(record)
    content.add("parameters", parameters, from: parameterVector)
    content.add("optimizer/momentum", parameters, from: momentumVector)
    content.add("state", averages, from: averageVector)
    return content
  }
}
