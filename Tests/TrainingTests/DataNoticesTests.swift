// What a run says of its data before the first step, and the keys that change how they are read.

import Datasets
import Foundation
import Models
import Tensors
import TestSupport
import Testing
import Training

@Suite("Notices of data")
struct DataNoticesTests {
  let folder: RunFolder

  init() throws { folder = try RunFolder() }

  /// Writes a data file with two classes.
  private func write(
    _ name: String, _ type: DatasetWriter.ElementType = .float32, shape: [Int] = [40, 4],
    attributes: [String: DatasetWriter.Attribute] = [:], value: (Int) -> Double
  ) throws {
    let writer = try DatasetWriter(
      path: folder.path(name),
      arrays: [
        .init(name: "samples", type: type, shape: shape, attributes: attributes),
        .init(name: "labels", type: .int32, shape: [shape[0]]),
      ], replacing: true)
    let values = (0..<shape.reduce(1, *)).map(value)
    switch type {
    case .uint8: try writer.append(values.map { UInt8($0) }, to: "samples")
    default: try writer.append(values.map { Float($0) }, to: "samples")
    }
    try writer.append((0..<shape[0]).map { Int32($0 % 2) }, to: "labels")
    try writer.finish()
  }

  private func configuration(_ data: String, model: String = "[affine: 2]") throws -> String {
    try folder.write(
      """
      data: { \(data) }
      model: \(model)
      optimizer: { sgd: 0.01 }
      batch_size: 8
      microbatches: 2
      epochs: 2

      """)
  }

  private func notices(
    _ data: String, model: String = "[affine: 2]", _ overrides: [String] = []
  ) throws -> [String] {
    let (session, _) = try folder.train(
      configuration(data, model: model), overrides, isDryRun: true)
    return session.notices.map {
      $0.replacingOccurrences(of: folder.path("x").dropLast(), with: "")
    }
  }

  @Test("there are none for what is shipped with its data")
  func shipped() throws {
    let configs = repository.appendingPathComponent("launch/configs")
    var count = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: configs.path).sorted() {
      guard !name.contains("fashion"), name.hasSuffix(".yaml"), name != "alexnet.yaml" else {
        continue
      }
      let (session, _) = try folder.train(
        configs.appendingPathComponent(name).path, isDryRun: true)
      #expect(session.notices == [], "\(name)")
      count += 1
    }
    #expect(count >= 7)
  }

  @Test("bytes without a scale are told of, unless something makes them small")
  func unscaled() throws {
    try write("a.h5", .uint8) { Double($0 * 7919 % 251) }
    let expected = [
      "a.h5: 'samples' holds whole numbers from 0 to 250 and no scale; set data.scale to "
        + "0.00392156862745098 (1/255), or data.normalize to channel"
    ]
    let affine = "[affine: 2]"
    #expect(try notices("train: a.h5") == expected)
    #expect(try notices("train: a.h5", model: "[sigmoid, affine: 2]") == expected)
    #expect(try notices("train: a.h5", model: affine, ["data.normalize=channel"]) == [])
    #expect(try notices("train: a.h5", model: affine, ["data.scale=0.004"]) == [])
    #expect(try notices("train: a.h5", model: "[batch_norm, affine: 2]") == [])
    #expect(try notices("train: a.h5", model: "[layer_norm, affine: 2]") == [])
    #expect(
      try notices("train: a.h5", model: "[{embedding: {count: 256, units: 2}}, affine: 2]") == [])
  }

  @Test("features of very different deviations are told of, unless they are normalised")
  func spread() throws {
    try write("a.h5") { Double($0 * 7919 % 251) / 251 * ($0 % 4 == 1 ? 1e5 : 1) }
    let found = try notices("train: a.h5")
    try #require(found.count == 1)
    #expect(found[0].hasPrefix("a.h5: deviations of 'samples' differ by a factor of "))
    #expect(found[0].hasSuffix("; set data.normalize to channel"))
    #expect(try notices("train: a.h5", model: "[layer_norm, affine: 2]").count == 1)
    #expect(try notices("train: a.h5", model: "[batch_norm, affine: 2]") == [])
    #expect(try notices("train: a.h5, normalize: element") == [])
  }

  @Test("rows of the training data among those that show the result are told of")
  func sharedRows() throws {
    func value(_ row: Int, _ element: Int) -> Double {
      Double((row * 4 + element) * 7919 % 2003) / 2003
    }
    try write("train.h5") { value($0 / 4, $0 % 4) }
    func found(shared: Int, of rows: Int) throws -> [String] {
      try write("test.h5", shape: [rows, 4]) {
        value($0 / 4 < shared ? 39 - $0 / 4 : 100 + $0 / 4, $0 % 4)
      }
      return try notices("train: train.h5, test: test.h5")
    }
    let end =
      " of test data are rows of the training data too (told from 5 rows and 1 % on), so results on them "
      + "show memory; leave them out of one of the files"
    #expect(try found(shared: 20, of: 20) == ["20 of the 20 rows" + end])
    #expect(try found(shared: 5, of: 30) == ["5 of the 30 rows" + end])
    #expect(try found(shared: 4, of: 30) == [])
    #expect(try found(shared: 0, of: 30) == [])
    // More rows than are looked at.
    #expect(try found(shared: 40, of: 3000).count == 1)
    #expect(try found(shared: 5, of: 600) == [])
    #expect(
      try notices("train: train.h5, test: train.h5, validation: train.h5") == [
        "validation data are the training data, so results on them show memory; give data.validation "
          + "another file",
        "test data are the training data, so results on them show memory; give data.test another file",
      ])
    #expect(try notices("train: train.h5, validation: 0.5") == [])
  }

  @Test("rows that coincide by chance are no sign of that")
  func chance() throws {
    // Of 81 rows that there can be, 40 are drawn here and 40 there.
    func value(_ index: Int, _ seed: Int) -> Double {
      Double((index * 7919 + seed * 104_729) * 2_654_435_761 % 4_294_967_291 / 1000 % 3)
    }
    try write("train.h5", shape: [400, 4]) { value($0, 1) }
    try write("test.h5", shape: [100, 4]) { value($0, 2) }
    #expect(try notices("train: train.h5, test: test.h5") == [])
  }

  @Test("samples of another range than those of training are told of")
  func otherRange() throws {
    try write("a.h5") { Double($0 * 7919 % 251) / 250 }
    try write("b.h5") { Double($0 * 31 % 239) }
    let found = try notices("train: a.h5, test: b.h5")
    try #require(found.count == 1)
    #expect(found[0].hasPrefix("b.h5: samples deviate by "))
    #expect(
      found[0].hasSuffix(
        "; bring both to one scale, by 'scale' and 'bias' of the file that differs"))
  }

  @Test("files whose labels mean other classes are refused")
  func classes() throws {
    for (name, classes) in [("a.h5", ["cat", "dog"]), ("b.h5", ["dog", "cat"])] {
      let writer = try DatasetWriter(
        path: folder.path(name),
        arrays: [
          .init(name: "samples", type: .float32, shape: [40, 4]),
          .init(
            name: "labels", type: .int32, shape: [40], attributes: ["class_names": .texts(classes)]),
        ])
      try writer.append((0..<160).map { Float($0 * 7919 % 251) / 251 }, to: "samples")
      try writer.append((0..<40).map { Int32($0 % 2) }, to: "labels")
      try writer.finish()
    }
    #expect(
      message { _ = try notices("train: a.h5, test: b.h5") }
        == "\(folder.path("b.h5")): found classes [\"dog\", \"cat\"], expected [\"cat\", \"dog\"] as in "
        + "\(folder.path("a.h5"))")
  }

  @Test("rows that training data have often, such as empty images, are no sign of that")
  func commonRows() throws {
    try write("train.h5") { Double($0 / 4 % 5) }
    try write("test.h5", shape: [20, 4]) { Double($0 / 4 % 5) }
    #expect(try notices("train: train.h5, test: test.h5") == [])
  }

  @Test("files of one type with other scales are told of, those of other units refused")
  func scalesAndUnits() throws {
    let value = { (index: Int) in Double(index * 7919 % 251) }
    try write(
      "a.h5", .uint8, attributes: ["scale": .number(0.5), "units": .text("mm")], value: value)
    try write("b.h5", .uint8, shape: [7, 4]) { Double($0 * 31 % 29) }
    #expect(
      try notices("train: a.h5, test: b.h5") == [
        "b.h5: samples have scale 1.0 and bias 0.0, those of a.h5 scale 0.5 and bias 0.0; data.scale and "
          + "data.bias hold for all files"
      ])
    #expect(try notices("train: a.h5, test: b.h5", ["data.scale=0.1"]) == [])
    try write(
      "c.h5", .uint8, attributes: ["scale": .number(0.5), "units": .text("cm")], value: value)
    #expect(
      message { _ = try notices("train: a.h5, test: c.h5") }
        == "\(folder.path("c.h5")): found samples in units 'cm', expected 'mm' as in "
        + "\(folder.path("a.h5"))")
  }

  @Test("images with channels last are one notice for all files, and none when it is said")
  func channelsLast() throws {
    for name in ["a.h5", "b.h5"] {
      try write(name, shape: [40, 6, 6, 3]) {
        Double($0 * 7919 % (name == "a.h5" ? 251 : 241)) / 251
      }
    }
    let model = "[{conv2d: {channels: 2, kernel: 3}}, relu, affine: 2]"
    let found = try notices("train: a.h5, test: b.h5", model: model)
    try #require(found.count == 1)
    #expect(
      found[0].hasPrefix("a.h5: 'samples' of extents [40, 6, 6, 3] without attribute 'layout' is "))
    #expect(try notices("train: a.h5, test: b.h5, layout: hwc", model: model) == [])
  }

  @Test("layout, scale and bias are those of the run: when it goes on, and when it is evaluated")
  func keys() throws {
    try write("plain.h5", .uint8, shape: [40, 6, 6, 3]) { Double($0 * 7919 % 251) }
    try write(
      "told.h5", .uint8, shape: [40, 6, 6, 3],
      attributes: [
        "layout": .text("hwc"), "scale": .numbers([0.25, 0.5, 1]), "bias": .number(-1),
      ]
    ) { Double($0 * 7919 % 251) }
    let model = "[{conv2d: {channels: 2, kernel: 3}}, relu, affine: 2]"
    let told = try configuration("train: told.h5", model: model)
    try folder.train(told, to: "told")
    let keys = ["data.layout=hwc", "data.scale=[0.25, 0.5, 1]", "data.bias=-1"]
    let plain = try configuration("train: plain.h5", model: model)
    try folder.train(plain, keys + ["epochs=1"])
    #expect(
      message { try folder.train(plain, Array(keys.dropLast())) }.contains(
        "'data.bias' is [-1.0], not null"))
    let (session, _) = try folder.train(plain, keys)
    #expect(session.startStep == 5)
    func parameters(_ run: String) throws -> [Float] {
      try folder.parameters("\(run)/checkpoints/step-0000000010.h5").elements
    }
    #expect(try parameters("run") == parameters("told"))

    let trained = try TrainedModel(checkpoint: #require(session.checkpointPath))
    let rows = try trained.open(folder.path("plain.h5"), needsTargets: true)
    let expected = try Dataset.open(folder.path("told.h5"))
    #expect(try samples(rows.dataset) == samples(expected))
    var reading = TrainedModel.Reading()
    (reading.scale, reading.bias) = ([1], [0])
    let scaled = try trained.open(
      folder.path("plain.h5"), reading: reading, needsTargets: true)
    #expect(try samples(scaled.dataset) != samples(expected))
  }

  private func samples(_ dataset: Dataset) throws -> [Float] {
    let buffer = FloatBuffer(count: 2 * dataset.sampleShape.count)
    try [0, 39].withUnsafeBufferPointer { try dataset.readSamples(rows: $0, into: buffer.pointer) }
    return Array(buffer.elements)
  }
}
