// The placement of ranks: the host, the other ranks on it, and the cores that each may use.

import Glibc

/// The host and cores of one rank, and the ranks it shares them with.
public struct Placement: Equatable, Sendable {
  /// The name of the host.
  public var hostName: String
  /// The ranks on this host, ascending; this one among them.
  public var ranksOnHost: [Int]
  /// The number of hosts of the job.
  public var hostCount: Int
  /// The numbers of the cores that this rank may run on, ascending; hardware threads count.
  public var cores: [Int]
  /// The number of cores that the ranks of this host may use together, within the host's quota.
  public var coreCountOnHost: Int
  /// The number of cores for this rank alone: those bound to it, or its fair part of those it shares;
  /// at least one.
  public var ownCoreCount: Int

  /// Indicates whether this host has more ranks than cores for them.
  public var isOversubscribed: Bool { ranksOnHost.count > coreCountOnHost }
}

extension Placement {
  /// Computes the placement of `rank` from the cores of all ranks on its host.
  ///
  /// - Parameters:
  ///   - rank: This rank.
  ///   - hostName: The name of its host.
  ///   - coresOfRanks: The cores that each rank on this host may run on.
  ///   - hostCount: The number of hosts of the job.
  ///   - quota: The number of cores' worth of time that the host grants; nil for all.
  /// - Complexity: O(ranks on the host · cores).
  package init(
    rank: Int, hostName: String, coresOfRanks: [Int: [Int]], hostCount: Int, quota: Int?
  ) {
    let cores = (coresOfRanks[rank] ?? []).sorted()
    var sharers: [Int: Int] = [:]
    for core in coresOfRanks.values.joined() { sharers[core, default: 0] += 1 }
    let union = sharers.count
    // A core shared by k ranks counts 1/k for each of them.
    var fairCount = cores.reduce(0.0) { $0 + 1 / Double(sharers[$1] ?? 1) }
    if let quota, quota < union { fairCount *= Double(quota) / Double(union) }
    self.hostName = hostName
    self.ranksOnHost = coresOfRanks.keys.sorted()
    self.hostCount = hostCount
    self.cores = cores
    self.coreCountOnHost = max(1, min(union, quota ?? union))
    // Sums of thirds may end slightly below a whole number.
    self.ownCoreCount = max(1, Int(fairCount + 1e-6))
  }
}

/// Returns the cores that this process may run on, ascending.
func availableCores() -> [Int] {
  cores(ofProcess: "self") ?? Array(0..<max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// Returns the cores that the process of a number, or `self`, may run on; nil if they cannot be read.
func cores(ofProcess process: String) -> [Int]? {
  let key = "Cpus_allowed_list:"
  let lines = contents(ofFile: "/proc/\(process)/status")?.split(separator: "\n") ?? []
  guard let line = lines.first(where: { $0.hasPrefix(key) }) else { return nil }
  return cores(inList: String(line.dropFirst(key.count)))
}

/// Returns the numbers in a list such as `0-3,8`, or nil for other text.
package func cores(inList list: String) -> [Int]? {
  var cores: [Int] = []
  for part in list.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
    let ends = part.split(separator: "-").map { Int($0) }
    guard let first = ends.first, let low = first, let last = ends.last, let high = last,
      low <= high
    else { return nil }
    cores += low...high
  }
  return cores.isEmpty ? nil : cores
}

/// Returns the number of cores' worth of time that the control group grants, rounded up; nil for no limit.
func coreQuota() -> Int? {
  if let text = contents(ofFile: "/sys/fs/cgroup/cpu.max") { return coreQuota(inCPUMax: text) }
  guard let quota = contents(ofFile: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    let period = contents(ofFile: "/sys/fs/cgroup/cpu/cpu.cfs_period_us")
  else { return nil }
  return coreQuota(inCPUMax: quota + " " + period)
}

/// Returns the cores granted by a text such as `200000 100000` or `max 100000`.
package func coreQuota(inCPUMax text: String) -> Int? {
  let parts = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { Int($0) }
  guard parts.count == 2, let quota = parts[0], let period = parts[1], quota > 0, period > 0 else {
    return nil
  }
  return (quota + period - 1) / period
}

/// Returns the name of this host.
func currentHostName() -> String {
  var buffer = [CChar](repeating: 0, count: 256)
  guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown host" }
  return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Returns the text of a small file, such as those of /proc, or nil if it cannot be read.
func contents(ofFile path: String) -> String? {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 4096)
  while true {
    let count = read(descriptor, &chunk, chunk.count)
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
    bytes += chunk[..<count]
  }
}
