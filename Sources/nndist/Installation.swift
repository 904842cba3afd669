// Where the files that come with the program are.
import Communication
import Foundation

/// The files that come with the program: small datasets and configurations.
enum Installation {
  /// The folder that holds `datasets` and `launch/configs`.
  ///
  /// `PREFIX/share/nndist` beside an installed `PREFIX/bin/nndist`; for a build inside the project the
  /// project itself.
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

  /// The configuration of the run that needs no words.
  static func defaultConfiguration() throws(InstallationError) -> String {
    try root().appendingPathComponent("launch/configs/digits.yaml").path
  }
}

/// The bundled files are not where they should be.
struct InstallationError: Error, CustomStringConvertible, ExitStatusProviding {
  let program: String
  let expected: String

  var description: String {
    "\(program): found no bundled datasets, expected them in \(expected); install them with "
      + "launch/install"
  }
  var exitStatus: Int32 { ExitStatus.unavailable }
}
