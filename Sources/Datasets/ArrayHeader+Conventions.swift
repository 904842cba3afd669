// The attributes that define the meaning of an array's numbers, by our names and by those of other writers:
// they are followed, or refused by name.

internal import HDF5

/// The order of axes of stored samples that have three.
public enum SampleLayout: String, Hashable, Sendable, CaseIterable {
  /// Channel, height, width.
  case chw
  /// Height, width, channel.
  case hwc
}

extension ArrayHeader {
  /// The pairs of attributes that mean `value = scale · raw + bias`, and their writers.
  private static let factorNames: [(scale: String, bias: String)] = [
    ("scale", "bias"),  // Ours, and LBANN's.
    ("scale_factor", "add_offset"),  // netCDF, CF conventions 1.11, section 8.1.
    ("conversion", "offset"),  // Neurodata Without Borders 2, TimeSeries.
    ("slope", "intercept"),  // Rasters of HDF-EOS.
    ("RescaleSlope", "RescaleIntercept"),  // DICOM PS3.3, C.7.6.16.2.9.
  ]
  /// The attributes of Keras and its users that name a layout.
  private static let layoutNames = ["data_format", "image_data_format", "dim_ordering"]
  /// The attributes that are read but do not change numbers.
  static let remarks = ["IMAGE_SUBCLASS", "MATLAB_class", "MATLAB_empty", "_Unsigned", "units"]
  /// Our own attributes, whose invalid values are refused.
  private static let ownNames = ["bias", "class_names", "layout", "scale"]
  /// All attributes with a meaning here.
  private static let knownNames = Set(
    ownNames + remarks + layoutNames + factorNames.flatMap { [$0.scale, $0.bias] }
      + ["DIMENSION_LABELS", "INTERLACE_MODE", "_FillValue", "missing_value"]
      + ["valid_max", "valid_min", "valid_range"])

  /// Reads the attributes with a meaning, in the order of their names.
  static func attributes(
    of name: String, in file: HDF5File
  ) throws(DatasetError) -> [(name: String, value: HDF5Attribute)] {
    try reading(file.name) { () throws(HDF5Error) in
      var attributes: [(name: String, value: HDF5Attribute)] = []
      for attribute in try file.attributeNames(of: name) where knownNames.contains(attribute) {
        do throws(HDF5Error) {
          if let value = try file.attribute(attribute, of: name) {
            attributes.append((attribute, value))
          }
        } catch {
          // Other writers may use such a name for something else.
          if ownNames.contains(attribute) { throw error }
        }
      }
      return attributes
    }
  }

  /// Refuses stored numbers that do not mean plain numbers.
  func refuseOtherMeanings() throws(DatasetError) {
    if attribute("MATLAB_class")?.stringValue == "char" {
      throw .wrongType(
        path: path, dataset: name, found: "characters, written by MATLAB", expected: "numbers")
    }
    if type.kind == .integer, type.isSigned, let value = attribute("_Unsigned"),
      value.stringValue == "true"
    {
      throw bad("_Unsigned", value, "numbers without sign stored as such")
    }
    if let value = attribute("IMAGE_SUBCLASS"), value.stringValue == "IMAGE_INDEXED" {
      throw bad("IMAGE_SUBCLASS", value, "colours or grey values, not places in a palette")
    }
  }
}

extension ArrayHeader {
  /// Determines the layout: the given one, that of attributes, or a guess from the extents.
  func readLayout(
    _ given: SampleLayout?
  ) throws(DatasetError) -> (layout: SampleLayout, notice: Dataset.Notice?) {
    if let given { return (given, nil) }
    var claim: (attribute: String, layout: SampleLayout)?
    if let value = attribute("layout") {
      guard let layout = value.stringValue.flatMap({ SampleLayout(rawValue: $0) }) else {
        throw bad("layout", value, "'chw' or 'hwc'")
      }
      claim = ("layout", layout)
    }
    for (attribute, value, layout) in try foreignLayouts() where shape.count == 4 {
      if let claim, claim.layout != layout {
        throw bad(attribute, value, "the layout '\(claim.layout)', as '\(claim.attribute)' says")
      }
      claim = claim ?? (attribute, layout)
    }
    if let claim { return (claim.layout, nil) }
    if shape.count == 4, attribute("MATLAB_class") != nil {
      let text =
        "\(path): '\(name)' of extents \(shape), written by MATLAB with axes in reverse order, is read as "
        + "\(shape[1]) channels of \(shape[2]) × \(shape[3]) pixels, height and width exchanged unless they "
        + "were permuted; set data.layout to chw to confirm, or save permute(X, [2 1 3 4])"
      return (.chw, Dataset.Notice(kind: .layout, text: text))
    }
    guard shape.count == 4, [1, 3, 4].contains(shape[3]), shape[1] > 4 else { return (.chw, nil) }
    // Large images have few channels; features of 4 × 4 or 1 × 1 pixels have many.
    let isImage = shape[2] > 4
    let pixels = "\(shape[1]) × \(shape[2]) pixels with \(shape[3]) channels last"
    let channels = "\(shape[1]) channels of \(shape[2]) × \(shape[3]) pixels"
    let text =
      "\(path): '\(name)' of extents \(shape) without attribute 'layout' is read as "
      + (isImage ? pixels : channels) + "; set data.layout to "
      + (isImage
        ? "hwc to confirm, or to chw for \(channels)" : "chw to confirm, or to hwc for \(pixels)")
    return (isImage ? .hwc : .chw, Dataset.Notice(kind: .layout, text: text))
  }

  /// Returns the layouts that attributes of other writers name.
  private func foreignLayouts() throws(DatasetError) -> [(String, HDF5Attribute, SampleLayout)] {
    var claims: [(String, HDF5Attribute, SampleLayout)] = []
    for attribute in ArrayHeader.layoutNames {
      guard let value = self.attribute(attribute), let name = value.stringValue?.lowercased() else {
        continue
      }
      if ["channels_last", "nhwc", "hwc", "tf"].contains(name) {
        claims.append((attribute, value, .hwc))
      } else if ["channels_first", "nchw", "chw", "th"].contains(name) {
        claims.append((attribute, value, .chw))
      }
    }
    // HDF5 Image and Palette Specification 1.2.
    if let value = attribute("INTERLACE_MODE"), let mode = value.stringValue {
      switch mode {
      case "INTERLACE_PIXEL": claims.append(("INTERLACE_MODE", value, .hwc))
      case "INTERLACE_PLANE": claims.append(("INTERLACE_MODE", value, .chw))
      default: throw bad("INTERLACE_MODE", value, "'INTERLACE_PIXEL' or 'INTERLACE_PLANE'")
      }
    }
    // Labels of axes, as h5py writes them.
    if let value = attribute("DIMENSION_LABELS"), case .strings(let labels) = value,
      labels.count == 4
    {
      let channelNames = ["c", "channel", "channels", "band", "bands", "colour", "color", "rgb"]
      if channelNames.contains(labels[3].lowercased()) {
        claims.append(("DIMENSION_LABELS", value, .hwc))
      } else if channelNames.contains(labels[1].lowercased()) {
        claims.append(("DIMENSION_LABELS", value, .chw))
      }
    }
    return claims
  }
}

extension ArrayHeader {
  /// Determines scale and bias: the given ones, or those of attributes.
  func readFactors(
    scale: [Double]?, bias: [Double]?, channelCount: Int
  ) throws(DatasetError) -> (scales: [Float], biases: [Float]) {
    let names = try factorNames(hasScale: scale != nil, hasBias: bias != nil)
    return (
      try factors(scale, key: "data.scale", names?.scale, standard: 1, channelCount),
      try factors(bias, key: "data.bias", names?.bias, standard: 0, channelCount)
    )
  }

  /// Indicates whether an attribute gives a scale or bias.
  var hasFactors: Bool {
    ArrayHeader.factorNames.contains {
      attribute($0.scale)?.doubleValues != nil || attribute($0.bias)?.doubleValues != nil
    }
  }

  /// Refuses a scale other than 1 and a bias other than 0, which class numbers cannot have.
  func refuseFactors() throws(DatasetError) {
    guard let names = try factorNames(hasScale: false, hasBias: false) else { return }
    for (name, standard) in [(names.scale, 1.0), (names.bias, 0.0)] {
      guard let value = attribute(name), let numbers = value.doubleValues,
        !numbers.allSatisfy({ $0 == standard })
      else { continue }
      throw bad(name, value, "\(plain(standard)) for class numbers")
    }
  }

  /// Returns the names of the attributes with scale and bias; several pairs must agree.
  ///
  /// - Parameters:
  ///   - hasScale: True if the scale is given, so that attributes do not count.
  ///   - hasBias: True if the bias is given.
  /// - Returns: The names; nil without such attributes.
  /// - Throws: ``DatasetError/badAttribute(path:dataset:attribute:found:expected:)`` for attributes that
  ///   contradict each other, and for an offset without its factor.
  private func factorNames(
    hasScale: Bool, hasBias: Bool
  ) throws(DatasetError) -> (scale: String, bias: String)? {
    var found: (scale: String, bias: String)?
    func scales(_ name: String) -> [Double]? { hasScale ? nil : attribute(name)?.doubleValues }
    func biases(_ name: String) -> [Double]? { hasBias ? nil : attribute(name)?.doubleValues }
    for names in ArrayHeader.factorNames {
      // Under our names a value must be a number; under others it may mean something else.
      let isOwn =
        names.scale == "scale" && (attribute(names.scale) != nil || attribute(names.bias) != nil)
      guard isOwn || scales(names.scale) != nil || biases(names.bias) != nil else { continue }
      // Without its factor, it is unclear whether an offset is added or subtracted, before or after scaling.
      if names.bias == "offset", attribute(names.scale)?.doubleValues == nil,
        let value = attribute("offset"), value.doubleValues?.allSatisfy({ $0 == 0 }) == false
      {
        throw bad("offset", value, "'bias' in its place, where value = scale · raw + bias")
      }
      guard let first = found else {
        found = names
        continue
      }
      for (name, other, lhs, rhs) in [
        (names.scale, first.scale, scales(names.scale) ?? [1], scales(first.scale) ?? [1]),
        (names.bias, first.bias, biases(names.bias) ?? [0], biases(first.bias) ?? [0]),
      ] where lhs != rhs {
        throw .badAttribute(
          path: path, dataset: self.name, attribute: name,
          found: attribute(name)?.text ?? "absent",
          expected: "\(rhs.map(plain).joined(separator: ", ")), as attribute '\(other)' says")
      }
    }
    return found
  }

  private func factors(
    _ given: [Double]?, key: String, _ attribute: String?, standard: Float, _ channelCount: Int
  ) throws(DatasetError) -> [Float] {
    let value = attribute.flatMap { self.attribute($0) }
    guard given != nil || value != nil else { return [standard] }
    let factors = (given ?? value?.doubleValues ?? []).map { Float($0) }
    guard factors.count == 1 || factors.count == channelCount, factors.allSatisfy(\.isFinite)
    else {
      let expected =
        channelCount == 1
        ? "a finite number" : "a finite number, or \(channelCount) of them, one per channel"
      if let given {
        throw .badFactors(key: key, found: given, path: path, dataset: name, expected: expected)
      }
      throw .badAttribute(
        path: path, dataset: name, attribute: attribute ?? "", found: value?.text ?? "absent",
        expected: expected)
    }
    return factors
  }

  private func bad(_ attribute: String, _ value: HDF5Attribute, _ expected: String) -> DatasetError
  {
    .badAttribute(
      path: path, dataset: name, attribute: attribute, found: value.text, expected: expected)
  }
}
