// What decides bits on this machine: the arithmetic, and for bfloat16 the library.
public import Execution
import Files
import Kernels
import OneDNN

extension CPU {
  /// Fused multiply-adds in one order, the same on every CPU that has them; for products of bfloat16 also the
  /// library, its version, the instruction set that it uses, and the caches that it chooses block sizes by.
  public func environment(for precision: OperandPrecision) -> Environment {
    let arithmetic = Environment.Fact(
      "arithmetic", key: "arithmetic", "ordered chains of fused multiply-adds")
    guard precision == .bfloat16 else { return Environment([arithmetic]) }
    return Environment([
      arithmetic, Environment.Fact("instruction set", key: "isa", describeISA()),
      Environment.Fact("caches", key: "caches", dataCaches()),
      Environment.Fact("oneDNN", key: "oneDNN", version()),
    ])
  }

  /// The instruction set of the kernels, the caches, and oneDNN with the instruction set that it uses.
  public var machine: Machine {
    Machine(
      isa: InstructionSet.best.name, caches: dataCaches(), library: "oneDNN",
      libraryVersion: "\(version()) (\(describeISA()))")
  }

  /// Checks the variable that limits the instruction set of the kernels.
  public func requireVariables() throws(PlanError) {
    guard let found = InstructionSet.unknownLimit else { return }
    throw .variable(
      InstructionSet.limitName, found: found,
      expected: InstructionSet.allCases.map(\.name).joined(separator: ", "))
  }

  /// Lists the data caches of the first core, as the kernel does.
  ///
  /// Not `sysconf`: its third level is multiplied by the number of cores on some virtual machines.
  private func dataCaches() -> String {
    var sizes: [String] = []
    for index in 0..<8 {
      let folder = "/sys/devices/system/cpu/cpu0/cache/index\(index)"
      guard let type = line("\(folder)/type"), let size = line("\(folder)/size") else { break }
      if type != "Instruction" { sizes.append(size) }
    }
    return sizes.isEmpty ? "unknown" : sizes.joined(separator: "/")
  }

  private func line(_ path: String) -> String? {
    guard let bytes = try? readFile(path, limit: 4096) else { return nil }
    return String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
  }
}
