// A package of its own that depends on this one by path, as a user's would.
import Foundation
import TestSupport
import Testing

@Suite("A package that depends on this one", .serialized)
struct ExamplePackageTests {
  private static let package = repository.appendingPathComponent("Tests/ExamplePackage")
  // Kept between runs: the first build takes a minute or two, the next ones seconds.
  private static let scratch = repository.appendingPathComponent(".build/example")

  @Test(
    "builds by 'swift build', and trains with a layer and a loss of its own: on arrays and on a file, the same bits on any number of ranks"
  )
  func example() throws {
    // The versions that this package is built with, so that nothing new is fetched.
    let pins = repository.appendingPathComponent("Package.resolved")
    if let pins = try? Data(contentsOf: pins) {
      try pins.write(to: ExamplePackageTests.package.appendingPathComponent("Package.resolved"))
    }
    let build = try run(
      "/usr/bin/env", "swift", "build", "--package-path", ExamplePackageTests.package.path,
      "--scratch-path", ExamplePackageTests.scratch.path, timeLimit: .seconds(900))
    try #require(build.status == 0, "\(build)")
    print("the example package was built in \(build.duration)")

    let program = ExamplePackageTests.scratch.appendingPathComponent("debug/Example").path
    let data = repository.appendingPathComponent("datasets/diabetes.h5").path
    let alone = try run(program, data)
    #expect(alone.status == 0, "\(alone)")
    let lines = alone.output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first?.hasPrefix("arrays step 200 beta 0.33") == true, "\(alone)")
    #expect(lines.last?.hasPrefix("file step 180 beta 1.35") == true, "\(alone)")
    for ranks in 2...3 {
      let result = try launch(program, data, ranks: ranks)
      #expect(result.status == 0 && result.output == alone.output, "\(result)")
    }
  }

  @Test("may depend on it by version: no target has unsafe flags")
  func flags() throws {
    let manifest = try run(
      "/usr/bin/env", "swift", "package", "--package-path", repository.path, "--scratch-path",
      ExamplePackageTests.scratch.path, "dump-package", timeLimit: .seconds(120))
    try #require(manifest.status == 0, "\(manifest)")
    #expect(manifest.output.contains("CElements") && !manifest.output.contains("unsafeFlags"))
  }

  @Test("ends with one line and the status of the error")
  func failure() throws {
    let program = ExamplePackageTests.scratch.appendingPathComponent("debug/Example").path
    let result = try launch(program, "/nowhere.h5", ranks: 2)
    #expect(result.status == 65)
    #expect(result.error.contains("/nowhere.h5: "), "\(result)")
  }
}
