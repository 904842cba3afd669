// What other writers of HDF5 say of their numbers: followed, or refused by name.

import CHDF5
import Datasets
import Foundation
import HDF5
import Tensors
import TestSupport
import Testing

/// The macro `H5F_ACC_RDWR`.
private let readWrite: UInt32 = 1

@Suite("Conventions of other writers", .serialized)
struct ConventionTests {
  let folder: TemporaryFolder
  private let labels = TestArray(counting: "labels", .int32, [4])

  init() throws { folder = try TemporaryFolder() }

  private func open(
    _ attributes: [String: HDF5Attribute], _ type: HDF5ScalarType = .int16,
    options: Dataset.Options = .init()
  ) throws -> Dataset {
    let samples = TestArray(counting: "samples", type, [4, 3], attributes)
    return try Dataset.open(folder.write([samples, labels]), options: options)
  }

  private func message(
    _ arrays: [TestArray], _ options: Dataset.Options = .init(), reads: Bool = false
  ) throws -> String {
    let path = try folder.write(arrays)
    let error = #expect(throws: DatasetError.self) {
      let dataset = try Dataset.open(path, options: options)
      if reads { _ = try dataset.samples(Array(0..<dataset.rowCount)) }
    }
    return (error?.description ?? "").replacingOccurrences(of: folder.path + "/", with: "")
  }

  private func message(
    _ attributes: [String: HDF5Attribute], type: HDF5ScalarType = .int16, shape: [Int] = [4, 3]
  ) throws -> String {
    try message([TestArray(counting: "samples", type, shape, attributes), labels])
  }

  @Test(
    "scale and bias are known by the names of netCDF, NWB, HDF-EOS and DICOM",
    arguments: [
      ("scale_factor", "add_offset"), ("conversion", "offset"), ("slope", "intercept"),
      ("RescaleSlope", "RescaleIntercept"),
    ])
  func factors(scale: String, bias: String) throws {
    let ours = try open(["scale": .double(0.3), "bias": .double(-2)]).samples([3, 0])
    #expect(try open([scale: .double(0.3), bias: .double(-2)]).samples([3, 0]) == ours)
    #expect(
      try open([scale: .double(0.3), bias: .double(-2), "scale": .double(0.3), "bias": .double(-2)])
        .samples([3, 0]) == ours)
    #expect(try open([scale: .double(2)]).samples([1]) == [6, 8, 10])
    // A word is no scale.
    #expect(try open([scale: .string("none")]).samples([1]) == [3, 4, 5])
    #expect(
      try message([scale: .double(2), "scale": .double(3)])
        == "train.h5: attribute '\(scale)' of 'samples' is 2.0, expected 3, as attribute 'scale' says"
    )
  }

  @Test("an offset without what it belongs to may mean two things, and is refused")
  func offset() throws {
    #expect(
      try message(["scale": .double(0.1), "offset": .double(3)])
        == "train.h5: attribute 'offset' of 'samples' is 3.0, expected 'bias' in its place, where value "
        + "= scale · raw + bias")
    #expect(try open(["offset": .double(0)]).samples([1]) == [3, 4, 5])
    #expect(
      try open(["offset": .double(3)], options: .init(bias: [-3])).samples([1]) == [0, 1, 2])
  }

  @Test("responses have a scale, class numbers none")
  func targetFactors() throws {
    let samples = TestArray(counting: "samples", .int16, [4, 3])
    let path = try folder.write([
      samples,
      TestArray(
        counting: "responses", .int16, [4, 2],
        ["scale_factor": .double(0.5), "add_offset": .double(1)]),
    ])
    #expect(try Dataset.open(path).responses([1], count: 2) == [2, 2.5])
    #expect(
      try message([samples, TestArray(counting: "labels", .int32, [4], ["scale": .double(2)])])
        == "train.h5: attribute 'scale' of 'labels' is 2.0, expected 1 for class numbers")
    let harmless = TestArray(counting: "labels", .int32, [4], ["scale": .double(1)])
    #expect(try Dataset.open(folder.write([samples, harmless])).labels([3]) == [3])
  }

  @Test("what is asked for comes before attributes, and must fit the channels")
  func given() throws {
    let attributes: [String: HDF5Attribute] = ["scale": .double(7), "bias": .double(1)]
    let options = Dataset.Options(scale: [0.5], bias: [1, 2, 3])
    #expect(try open(attributes, options: options).samples([1]) == [2.5, 4, 5.5])
    #expect(try open(attributes, options: .init(scale: [2])).samples([1]) == [7, 9, 11])
    #expect(
      try message([TestArray(counting: "samples", .int16, [4, 3])], .init(scale: [1, 2]))
        == "data.scale is [1.0, 2.0], expected a finite number, or 3 of them, one per channel of "
        + "'samples' of train.h5")
  }

  @Test(
    "missing values are refused with their row, in memory and from the file",
    arguments: ["_FillValue", "missing_value"])
  func missing(attribute: String) throws {
    for (type, limit) in [
      (HDF5ScalarType.uint8, Int.max), (.float32, Int.max), (.int64, 0), (.float64, 0),
    ] {
      let samples = TestArray(
        counting: "samples", type, [4, 3], [attribute: .double(7), "scale_factor": .double(2)])
      #expect(
        try message([samples, labels], .init(inMemoryLimit: limit), reads: true)
          == "train.h5: 'samples' row 2 holds 7, which its attribute '\(attribute)' says is missing; "
          + "expected rows without missing values")
      let other = TestArray(counting: "samples", type, [4, 3], [attribute: .double(99)])
      let path = try folder.write([other, labels])
      #expect(
        try Dataset.open(path, options: .init(inMemoryLimit: limit)).samples([2]) == [6, 7, 8])
    }
    #expect(
      try message([
        TestArray(counting: "samples", .int16, [4, 3]),
        TestArray(counting: "labels", .int32, [4], [attribute: .integer(3)]),
      ]) == "train.h5: 'labels' row 3 holds 3, which its attribute '\(attribute)' says is missing; "
        + "expected rows without missing values")
  }

  @Test("marks of missing values are compared as the array stores them")
  func roundedMarks() throws {
    let samples = TestArray(
      "samples", .float32, [2, 2], [1, 2, -999.9, 4], ["missing_value": .double(-999.9)])
    #expect(
      try message([samples, labels]).contains("its attribute 'missing_value' says is missing"))
    let valid = TestArray(
      "samples", .float32, [2, 2], [0, 0.1, 0, 0], ["valid_max": .double(0.1)])
    #expect(try Dataset.open(folder.write([valid])).rowCount == 2)
  }

  @Test("values outside of the valid range are refused")
  func validRange() throws {
    for (attributes, found, name) in [
      (["valid_range": .integers([0, 8])], 9, "valid_range"),
      (["valid_max": .double(9)], 10, "valid_max"),
      (["valid_min": .integer(1)], 0, "valid_min"),
    ] as [([String: HDF5Attribute], Int, String)] {
      #expect(
        try message(attributes).hasSuffix(
          "holds \(found), which its attribute '\(name)' says is missing; expected rows without missing "
            + "values"))
    }
    #expect(try open(["valid_range": .integers([0, 11])]).rowCount == 4)
  }

  @Test("numbers that stand for something else are refused")
  func otherMeanings() throws {
    #expect(
      try message(["_Unsigned": .string("true")], type: .int8)
        == "train.h5: attribute '_Unsigned' of 'samples' is 'true', expected numbers without sign stored "
        + "as such")
    #expect(try open(["_Unsigned": .string("true")], .uint8).rowCount == 4)
    #expect(
      try message(["IMAGE_SUBCLASS": .string("IMAGE_INDEXED")], type: .uint8)
        == "train.h5: attribute 'IMAGE_SUBCLASS' of 'samples' is 'IMAGE_INDEXED', expected colours or "
        + "grey values, not places in a palette")
    #expect(
      try message(["MATLAB_class": .string("char")], type: .uint16)
        == "train.h5: 'samples' holds characters, written by MATLAB, expected numbers")
    #expect(
      try message(["MATLAB_empty": .integer(1)])
        == "train.h5: 'samples' has 0 rows, expected 1 or more")
  }

  @Test("arrays that MATLAB has turned over are refused with the reason")
  func matlab() throws {
    let matlab: [String: HDF5Attribute] = ["MATLAB_class": .string("double")]
    #expect(
      try message([
        TestArray(counting: "X", .float64, [3, 40], matlab),
        TestArray(counting: "y", .float64, [1, 40], matlab),
      ]) == "train.h5: 'y' has extents [1, 40], expected 3 rows as 'X' has; MATLAB writes axes in "
        + "reverse order, so rows must come last there")
  }

  @Test("a table of splits as Fuel writes it is refused, a word is not")
  func fuel() throws {
    let path = try folder.write([
      TestArray(counting: "features", .uint8, [4, 3]),
      TestArray(counting: "targets", .uint8, [4, 1]),
    ])
    let file = H5Fopen(path, readWrite, chdf5_default())
    let type = H5Tcreate(H5T_COMPOUND, 9)
    H5Tinsert(type, "start", 0, chdf5_f64le())
    H5Tinsert(type, "available", 8, chdf5_u8le())
    let space = H5Screate_simple(1, [2], nil)
    let attribute = H5Acreate2(file, "split", type, space, chdf5_default(), chdf5_default())
    H5Awrite(attribute, type, [UInt8](repeating: 0, count: 18))
    H5Aclose(attribute)
    H5Fclose(file)
    #expect(throws: DatasetError.severalSplits(path: path, attribute: "split")) {
      try Dataset.open(path)
    }
    let named = try HDF5File(creating: folder.file("named.h5"))
    try ([1, 2] as [UInt8]).withUnsafeBytes { bytes throws in
      try named.createDataset("x", type: .uint8, shape: [2]).write(bytes)
    }
    try named.setAttribute("split", of: "/", to: .string("train"))
    try named.close()
    #expect(try Dataset.open(folder.file("named.h5")).rowCount == 2)
  }

  @Test("an array that was written in part is refused")
  func partlyWritten() throws {
    let path = folder.file("part.h5")
    let file = H5Fcreate(path, chdf5_truncate(), chdf5_default(), chdf5_default())
    let creation = H5Pcreate(chdf5_dataset_create_class())
    H5Pset_chunk(creation, 2, [2, 3])
    let space = H5Screate_simple(2, [5, 4], nil)
    let array = H5Dcreate2(
      file, "x", chdf5_u8le(), space, chdf5_default(), creation, chdf5_default())
    let memory = H5Screate_simple(1, [8], nil)
    H5Sselect_hyperslab(space, H5S_SELECT_SET, [0, 0], nil, [2, 4], nil)
    H5Dwrite(
      array, chdf5_u8le(), memory, space, chdf5_default(), [1, 2, 3, 4, 5, 6, 7, 8] as [UInt8])
    H5Dclose(array)
    H5Fclose(file)
    let error = #expect(throws: DatasetError.self) { try Dataset.open(path) }
    #expect(
      error?.description
        == "\(path): '/x' has extents [5, 4], which are 6 chunks, but the file holds 2; the rest was "
        + "never written")
  }

  @Test("arrays beside the samples that are not read are told of")
  func neighbours() throws {
    func texts(_ name: String, _ shape: [Int] = [4]) throws -> [String] {
      let path = try folder.write([
        TestArray(counting: "train/x", .int16, [4, 3]), TestArray(counting: "train/y", .int32, [4]),
        TestArray(counting: name, .int8, shape),
      ])
      return try Dataset.open(path).notices.map {
        $0.text.replacingOccurrences(of: folder.path + "/", with: "")
      }
    }
    #expect(
      try texts("train/set") == [
        "train.h5: 'train/set' is not read: all 4 rows of 'train/x' are taken; write those of each split "
          + "to a file of its own"
      ])
    #expect(
      try texts("train/sample_weight", [4, 1]) == [
        "train.h5: 'train/sample_weight' is not read: all 4 rows of 'train/x' are worth the same; repeat "
          + "rows, or set class_weights of the loss"
      ])
    #expect(try texts("train/weights", [5]) == [])
    #expect(try texts("weights") == [])
  }

  @Test("names of classes are found where others write them")
  func classNames() throws {
    let names = ["cat", "dog"]
    let path = try folder.write([
      TestArray(counting: "x", .int16, [4, 3]),
      TestArray("y", .int32, [4], [0, 1, 0, 1], ["label_names": .strings(names)]),
    ])
    #expect(try Dataset.open(path).targets == .labels(classNames: names))
    let file = try HDF5File(creating: folder.file("root.h5"))
    for name in ["x", "y"] {
      try ([0, 1] as [UInt8]).withUnsafeBytes { bytes throws in
        try file.createDataset(name, type: .uint8, shape: [2]).write(bytes)
      }
    }
    try file.setAttribute("classes", of: "y", to: .integer(2))
    try file.close()
    let root = folder.file("root.h5")
    #expect(try Dataset.open(root).targets == .labels(classNames: nil))
    let id = H5Fopen(root, readWrite, chdf5_default())
    let type = H5Tcopy(chdf5_c_string())
    H5Tset_size(type, 3)
    let array = H5Dcreate2(
      id, "class_names", type, H5Screate_simple(1, [2], nil), chdf5_default(), chdf5_default(),
      chdf5_default())
    H5Dwrite(
      array, type, chdf5_space_all(), chdf5_space_all(), chdf5_default(), Array("catdog".utf8))
    H5Dclose(array)
    H5Fclose(id)
    #expect(try Dataset.open(root).targets == .labels(classNames: names))
  }

  @Test("units are told")
  func units() throws {
    #expect(try open(["units": .string("mm")]).sampleUnits == "mm")
    #expect(try open([:]).sampleUnits == nil)
  }
}

@Suite("Layout of images")
struct LayoutTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(
    _ shape: [Int], _ attributes: [String: HDF5Attribute] = [:], _ layout: SampleLayout? = nil
  ) throws -> Dataset {
    let samples = TestArray(counting: "images", .uint8, shape, attributes)
    return try Dataset.open(folder.write([samples]), options: .init(layout: layout))
  }

  @Test(
    "is known by the words of other writers",
    arguments: [
      ("data_format", HDF5Attribute.string("channels_last"), "hwc"),
      ("image_data_format", .string("channels_first"), "chw"),
      ("dim_ordering", .string("tf"), "hwc"),
      ("INTERLACE_MODE", .string("INTERLACE_PIXEL"), "hwc"),
      ("INTERLACE_MODE", .string("INTERLACE_PLANE"), "chw"),
      ("DIMENSION_LABELS", .strings(["batch", "y", "x", "Channel"]), "hwc"),
      ("DIMENSION_LABELS", .strings(["", "band", "", ""]), "chw"),
    ])
  func words(attribute: String, value: HDF5Attribute, layout: String) throws {
    let shape = [2, 6, 7, 3]
    let found = try open(shape, [attribute: value])
    let expected = try open(shape, ["layout": .string(layout)])
    #expect(found.sampleShape == expected.sampleShape)
    #expect(try found.samples([1]) == expected.samples([1]))
    #expect(found.notices == [])
    let other = layout == "hwc" ? "chw" : "hwc"
    let error = #expect(throws: DatasetError.self) {
      try open(shape, [attribute: value, "layout": .string(other)])
    }
    #expect(
      error?.description.hasSuffix("expected the layout '\(other)', as 'layout' says") == true)
  }

  @Test("of lines of colours is refused")
  func lines() {
    let error = #expect(throws: DatasetError.self) {
      try open([2, 6, 3, 7], ["INTERLACE_MODE": .string("INTERLACE_LINE")])
    }
    #expect(
      error?.description.hasSuffix("expected 'INTERLACE_PIXEL' or 'INTERLACE_PLANE'") == true)
  }

  @Test("without a word is that of the extents, which is told", arguments: [1, 3, 4])
  func guessed(channels: Int) throws {
    let shape = [2, 8, 5, channels]
    let dataset = try open(shape)
    #expect(dataset.sampleShape == [channels, 8, 5])
    #expect(try dataset.samples([1]) == open(shape, ["layout": .string("hwc")]).samples([1]))
    #expect(
      dataset.notices.map(\.text) == [
        "\(dataset.path): 'images' of extents \(shape) without attribute 'layout' is read as 8 × 5 "
          + "pixels with \(channels) channels last; set data.layout to hwc to confirm, or to chw for 8 "
          + "channels of 5 × \(channels) pixels"
      ])
    #expect(try open(shape, [:], .hwc).notices == [])
    let first = try open(shape, ["layout": .string("hwc")], .chw)
    #expect(first.sampleShape == [8, 5, channels])
    #expect(first.notices == [])
  }

  @Test("of images of MATLAB has height and width exchanged, which is told")
  func matlab() throws {
    let dataset = try open([2, 3, 8, 6], ["MATLAB_class": .string("uint8")])
    #expect(dataset.sampleShape == [3, 8, 6])
    #expect(
      dataset.notices.map(\.text) == [
        "\(dataset.path): 'images' of extents [2, 3, 8, 6], written by MATLAB with axes in reverse order, is "
          + "read as 3 channels of 8 × 6 pixels, height and width exchanged unless they were permuted; set "
          + "data.layout to chw to confirm, or save permute(X, [2 1 3 4])"
      ])
    #expect(try open([2, 3, 8, 6], ["MATLAB_class": .string("uint8")], .chw).notices == [])
  }

  @Test("of many channels of few pixels has channels first, which is told")
  func features() throws {
    let dataset = try open([2, 64, 4, 4])
    #expect(dataset.sampleShape == [64, 4, 4])
    #expect(
      dataset.notices.map(\.text) == [
        "\(dataset.path): 'images' of extents [2, 64, 4, 4] without attribute 'layout' is read as 64 "
          + "channels of 4 × 4 pixels; set data.layout to chw to confirm, or to hwc for 64 × 4 pixels "
          + "with 4 channels last"
      ])
    for shape in [
      [2, 1, 28, 28], [2, 3, 32, 32], [2, 4, 8, 3], [2, 9, 9, 2], [2, 8, 5], [2, 8],
    ] {
      #expect(try open(shape).notices == [])
      #expect(try open(shape).sampleShape == Shape(Array(shape.dropFirst())))
    }
  }
}

@Suite("Survey of samples")
struct SurveyTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func notices(_ array: TestArray, _ options: Dataset.Options = .init()) throws -> [String]
  {
    let path = try folder.write([array])
    return try Dataset.open(path, options: options).surveyNotices().map {
      $0.text.replacingOccurrences(of: folder.path + "/", with: "")
    }
  }

  @Test("tells of bytes without a scale, also when they are stored as floats")
  func unscaled() throws {
    let expected = [
      "train.h5: 'samples' holds whole numbers from 0 to 250 and no scale; set data.scale to "
        + "0.00392156862745098 (1/255), or data.normalize to channel"
    ]
    for type in [HDF5ScalarType.uint8, .int32, .float32] {
      let bytes = TestArray(counting: "samples", type, [40, 1, 8, 8], modulus: 251)
      #expect(try notices(bytes) == expected)
      #expect(try notices(bytes, .init(scale: [1])) == [])
    }
    let scale: [String: HDF5Attribute] = ["scale": .double(1)]
    #expect(
      try notices(TestArray(counting: "samples", .uint8, [40, 9], modulus: 251, scale)) == [])
    #expect(try notices(TestArray(counting: "samples", .uint8, [40, 9], modulus: 17)) == [])
    #expect(try notices(TestArray(counting: "samples", .float32, [40, 9], modulus: 251)) == [])
    #expect(
      try notices(TestArray("samples", .int16, [2, 1, 2], [0, -1000, 7, 0])) == [
        "train.h5: 'samples' holds whole numbers from -1000 to 7 and no scale; set data.scale to 0.001 "
          + "(1/1000), or data.normalize to channel"
      ])
    // Counts, codes of categories and columns of different kinds are whole numbers too.
    #expect(try notices(TestArray(counting: "samples", .int32, [40, 100], modulus: 50)) == [])
    #expect(try notices(TestArray("samples", .int64, [2, 2], [0, 1, 400, 0])) == [])
    #expect(try notices(TestArray(counting: "samples", .uint8, [40, 9], modulus: 50)) == [])
  }

  @Test("tells of features whose deviations differ by more than 1,000")
  func spread() throws {
    func array(_ factor: Double, constant: Bool = false) -> TestArray {
      let values = (0..<300).map { index -> Double in
        let value = Double(index / 3 % 5) - 2
        return [value, constant ? 1e9 : value * factor + 1e4, 0.25 * value][index % 3]
      }
      return TestArray("samples", .float64, [100, 3], values)
    }
    #expect(
      try notices(array(2000)) == [
        "train.h5: deviations of 'samples' differ by a factor of 8000: element 1 has 2830, element 2 "
          + "0.354; set data.normalize to channel"
      ])
    #expect(try notices(array(200)) == [])
    #expect(try notices(array(1, constant: true)) == [])
    // An element that is nearly constant means nothing.
    var values = [Double](repeating: 0, count: 8000)
    for row in 0..<4000 { values[2 * row] = row % 2 == 0 ? 20.5 : -20.5 }
    values[1] = 0.5
    #expect(try notices(TestArray("samples", .float32, [4000, 2], values)) == [])
  }

  @Test("is part of a description")
  func description() throws {
    let path = try folder.write([
      TestArray(counting: "images", .uint8, [40, 8, 8, 3], modulus: 251)
    ])
    let text = try Dataset.open(path).describe().description
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("notice: \(path): 'images' ") }
    #expect(lines.count == 2, "\(text)")
  }
}
