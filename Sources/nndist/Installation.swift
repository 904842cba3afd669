// The location of the files that come with the program.
import Communication
import Foundation

/// The files that come with the program: small datasets and configurations.
enum Installation {
  /// The folder that holds `datasets` and `launch/configs`.
  ///
  /// It is `PREFIX/share/nndist` for an installed `PREFIX/bin/nndist`, and the project itself for a build inside
  /// the project.
  static func root() throws(InstallationError) -> URL {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    var folder = program.deletingLastPathComponent()
    let installed = folder.deletingLastPathComponent().appendingPathComponent("share/nndist")
    var candidates = [installed]
    while folder.path != "/" {
      candidates.append(folder)
      folder = folder.deletingLastPathComponent()
    }
    for candidate in candidates
    where FileManager.default.fileExists(
      atPath: candidate.appendingPathComponent("launch/configs/digits.yaml").path)
    {
      return candidate
    }
    throw InstallationError(program: program.path, expected: installed.path)
  }

  /// Returns the configuration that `nndist` trains without arguments.
  static func defaultConfiguration() throws(InstallationError) -> String {
    try root().appendingPathComponent("launch/configs/digits.yaml").path
  }
}

/// The error that the bundled files are missing.
struct InstallationError: Error, CustomStringConvertible, ExitStatusProviding {
  let program: String
  let expected: String

  var description: String {
    "\(program): found no bundled datasets, expected them in \(expected); install them with "
      + "launch/install"
  }
  var exitStatus: Int32 { ExitStatus.unavailable }
}
