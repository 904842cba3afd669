import Files
import OneDNN

/// What decides the bits of a result besides configuration, data and seed.
public struct Environment: Hashable, Sendable {
  /// The instruction set that oneDNN uses.
  public let isa: String
  /// The sizes of the data caches, which oneDNN chooses block sizes by, such as `32K/1024K/32768K`.
  public let caches: String
  /// The version of oneDNN.
  public let oneDNNVersion: String

  /// The environment of this process.
  public static var current: Environment {
    Environment(isa: describeISA(), caches: dataCaches(), oneDNNVersion: version())
  }

  /// One line.
  public var description: String { "\(isa), caches \(caches), oneDNN \(oneDNNVersion)" }

  /// The data caches of the first core, as the kernel lists them.
  ///
  /// Not `sysconf`: its third level is multiplied by the number of cores on some virtual machines.
  private static func dataCaches() -> String {
    var sizes: [String] = []
    for index in 0..<8 {
      let folder = "/sys/devices/system/cpu/cpu0/cache/index\(index)"
      guard let type = line("\(folder)/type"), let size = line("\(folder)/size") else { break }
      if type != "Instruction" { sizes.append(size) }
    }
    return sizes.isEmpty ? "unknown" : sizes.joined(separator: "/")
  }

  private static func line(_ path: String) -> String? {
    guard let bytes = try? readFile(path, limit: 4096) else { return nil }
    return String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
  }
}
