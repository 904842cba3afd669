// Arguments of a check, and how a check says that a fact does not hold.

import Communication

/// The arguments after the name of a check.
struct CheckOptions {
  private let arguments: [String]

  init(_ arguments: [String]) { self.arguments = arguments }

  subscript(i: Int) -> String? { arguments.indices.contains(i) ? arguments[i] : nil }

  func has(_ name: String) -> Bool { arguments.contains(name) }

  func value(of name: String) -> String? {
    arguments.firstIndex(of: name).flatMap { self[$0 + 1] }
  }

  func seconds(_ name: String) -> Duration? {
    value(of: name).flatMap { Double($0) }.map { .seconds($0) }
  }

  /// A whole number given as an argument, such as a rank.
  func number(_ i: Int) throws -> Int {
    guard let text = self[i], let number = Int(text) else {
      throw CheckError("argument \(i) is missing or no number")
    }
    return number
  }
}

/// A fact that does not hold.
struct CheckError: ExitStatusProviding, CustomStringConvertible {
  var description: String
  var exitStatus: Int32

  init(_ description: String, exitStatus: Int32 = 1) {
    self.description = description
    self.exitStatus = exitStatus
  }
}

/// Throws if `condition` does not hold.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
  guard condition else { throw CheckError(message()) }
}
