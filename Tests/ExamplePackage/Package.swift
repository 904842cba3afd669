// swift-tools-version: 6.1
import PackageDescription

/// A program of another package, which depends on nndist by its path.
let package = Package(
  name: "Example",
  dependencies: [.package(name: "nndist", path: "../..")],
  targets: [
    .executableTarget(
      name: "Example", dependencies: [.product(name: "NNDist", package: "nndist")])
  ])
