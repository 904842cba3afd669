/// Why a picture cannot be drawn.
public enum DrawingError: Error, Hashable {
  /// There would be too many nodes to read.
  case tooLarge(Detail, found: Int, limit: Int)
  /// The graph is no chain of layers, so it has no columns.
  case notLayered(found: String)
  /// A level of detail has no such form.
  case noForm(Detail, form: String, forms: [String])
  /// A program is not installed.
  case missingProgram(String, package: String)
  /// A program failed.
  case programFailed(String, message: String)
}

extension DrawingError: CustomStringConvertible {
  /// The thing, what was found, what was expected, on one line.
  public var description: String {
    switch self {
    case .tooLarge(let detail, let found, let limit):
      "detail '\(detail.rawValue)': found \(found) "
        + (detail == .network ? "columns" : "boxes and more")
        + ", expected at most \(limit); "
        + (detail == .scalar
          ? "detail 'tensor' draws a box for an array" : "draw it with less detail")
    case .notLayered(let found):
      "detail 'network': found \(found), expected a chain of affine layers from data; "
        + "detail 'layers' draws any graph"
    case .noForm(let detail, let form, let forms):
      "detail '\(detail.rawValue)' cannot be written as \(form); it can as "
        + forms.joined(separator: ", ")
    case .missingProgram(let name, let package):
      "the program '\(name)' is not installed; it is in Debian's package \(package)"
    case .programFailed(let name, let message):
      "\(name): \(message)"
    }
  }
}
