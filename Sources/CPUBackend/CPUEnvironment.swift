// The instruction set, the caches and the library of this machine.
public import Execution
import Files
import OneDNN

extension CPU {
  /// The instruction set that oneDNN uses, the caches that it chooses block sizes by, and its version.
  public var environment: Environment {
    Environment(
      isa: describeISA(), caches: dataCaches(), library: "oneDNN", libraryVersion: version())
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
