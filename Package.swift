// swift-tools-version: 6.1
import PackageDescription

/// Borders between modules are held by the build: imports are internal unless said otherwise, and a
/// member is visible only where its module is imported.
let borders: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: borders)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.init(stringLiteral: name), "TestSupport"] + dependencies,
    swiftSettings: borders)
}

let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "nndist",
  products: [
    .executable(name: "nndist", targets: ["nndist"]),
    .library(
      name: "NNDist",
      targets: [
        "NNDist", "Tensors", "Numerics", "Graphs", "Expressions", "Models", "Execution",
        "CPUBackend", "Datasets", "Checkpoints", "Runs", "Configuration", "Files", "Communication",
        "DataParallel", "Optimizers", "Training", "Drawing",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Level 0: headers and inline functions, no logic; vector kernels in C.
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CDNNL", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CVectors"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    // Attributes in the sources choose the instruction sets, so no flags are needed.
    .target(name: "CElements"),
    .target(name: "CProducts"),

    // Level 1: plain values, what to compute, and one thin wrapper per C library.
    module("Tensors"),
    module("Numerics", ["CElements", "CVectors"]),
    module("Digests", ["CCrypto"]),
    module("Files"),
    module("Configuration", [yams]),
    module("OneDNN", ["CDNNL"]),
    module("HDF5", ["CHDF5"]),
    module("Communication", ["CMPI", "CLinux"]),
    module("Graphs", ["Tensors", "Numerics"]),

    // Level 2: what runs when and where in memory, and how.
    module("Execution", ["Graphs", "Tensors", "Numerics"]),
    module(
      "Kernels", ["Tensors", "Numerics", "OneDNN", "CElements", "CProducts", "CVectors"]),

    // Level 3: backends, models, files.
    module(
      "CPUBackend",
      ["Execution", "Kernels", "OneDNN", "Graphs", "Tensors", "Numerics", "Files"]),
    module("Optimizers", ["Execution", "Tensors", "Numerics", "Configuration"]),
    module("Expressions", ["Graphs", "Tensors", "Numerics", "Configuration"]),
    module("Models", ["Graphs", "Tensors", "Numerics", "Configuration"]),
    module("Datasets", ["HDF5", "Tensors", "Numerics", "Digests", "CZlib"]),
    module("Checkpoints", ["HDF5", "Tensors", "Digests", "Files"]),
    module("Runs", ["Configuration", "Files"]),
    module("Drawing", ["Graphs", "Tensors"]),

    // Level 4: where programs, ranks and optimizers meet.
    module(
      "DataParallel",
      [
        "Models", "Execution", "Optimizers", "Graphs", "Tensors", "Numerics", "Digests",
        "Communication",
      ]),

    // Level 5: the run.
    module(
      "Training",
      [
        "DataParallel", "Optimizers", "Models", "Execution", "CPUBackend", "Datasets",
        "Checkpoints", "Runs", "Graphs", "Tensors", "Numerics", "Digests", "Configuration",
        "Communication", "Files",
      ]),

    // Level 6: measuring it, and one import for programs in Swift.
    module(
      "Benchmarks",
      [
        "Training", "DataParallel", "Optimizers", "Models", "Execution", "CPUBackend", "Graphs",
        "Tensors", "Numerics", "Communication",
      ]),

    module(
      "NNDist",
      [
        "Training", "DataParallel", "Models", "Expressions", "Datasets", "Drawing", "Graphs",
        "Tensors", "Configuration", "Communication",
      ]),

    // Level 7: options in, exit status out.
    .executableTarget(
      name: "nndist",
      dependencies: [
        "Training", "Benchmarks", "DataParallel", "Optimizers", "Expressions", "Models",
        "Execution", "Datasets", "Checkpoints", "Runs",
        "Graphs", "Tensors", "Numerics", "Digests", "Configuration", "Communication",
        "Files", "HDF5", "Drawing", "NNDist",
        argumentParser,
      ],
      swiftSettings: borders),

    // Tests.
    .target(
      name: "TestSupport",
      dependencies: ["Execution", "Graphs", "Numerics", "Tensors", "Communication"],
      path: "Tests/TestSupport",
      swiftSettings: borders),
    .executableTarget(
      name: "RankChecks",
      dependencies: [
        "Communication", "Training", "Benchmarks", "DataParallel", "Optimizers", "CPUBackend",
        "Datasets", "Models", "Tensors",
      ],
      path: "Tests/RankChecks",
      swiftSettings: borders),
    // Takes the place of malloc, so only a program of its own may link it.
    .target(name: "AllocationCount", path: "Tests/AllocationCount"),
    .executableTarget(
      name: "AllocationCheck",
      dependencies: [
        "AllocationCount", "Training", "Benchmarks", "DataParallel", "Optimizers", "Models",
        "Execution", "CPUBackend", "Graphs", "OneDNN",
        "Tensors",
        "Communication",
      ],
      path: "Tests/AllocationCheck", swiftSettings: borders),
    // What a reader of the README starts from; a test runs it.
    .executableTarget(
      name: "Example", dependencies: ["Expressions", "Graphs", "Drawing", "Tensors"],
      path: "Tests/Example", swiftSettings: borders),
    tests("Tensors"),
    tests("Numerics"),
    tests("Digests"),
    tests("Files"),
    tests("Configuration"),
    tests("HDF5", ["CHDF5"]),
    tests("OneDNN"),
    tests("Communication", ["RankChecks"]),
    tests("Graphs", ["Tensors", "Numerics"]),
    tests("Kernels", ["Tensors", "Numerics", "OneDNN"]),
    tests("Expressions", ["Execution", "CPUBackend", "Graphs", "Tensors"]),
    tests("Models", ["Execution", "CPUBackend", "Graphs", "Tensors", "Configuration"]),
    tests("Execution", ["Graphs", "Tensors", "Numerics"]),
    tests("CPUBackend", ["Execution", "Graphs", "Tensors", "Numerics"]),
    tests("Datasets", ["HDF5", "Tensors", "CHDF5"]),
    tests("Checkpoints", ["HDF5", "Tensors", "Files", "Digests"]),
    tests("Runs", ["Configuration", "Files"]),
    tests("Drawing", ["NNDist", "Graphs", "Models", "Tensors"]),
    tests("Optimizers", ["CPUBackend", "Execution", "Tensors"]),
    tests("DataParallel", ["Execution", "Communication", "Tensors"]),
    tests(
      "Training",
      [
        "Benchmarks", "DataParallel", "Optimizers", "Models", "Execution", "CPUBackend", "Datasets",
        "Checkpoints", "Runs", "Graphs", "Tensors", "Numerics", "Configuration", "Communication",
        "RankChecks",
      ]),
    tests(
      "Benchmarks",
      [
        "Training", "DataParallel", "CPUBackend", "Communication", "Models", "Tensors",
      ]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "nndist", "Example", "Expressions", "Graphs", "Drawing", "Datasets", "HDF5", "TestSupport",
      ],
      swiftSettings: borders),
  ],
  swiftLanguageModes: [.v6]
)
