// The limits on the memory of a host's processes.

import Glibc

/// The memory that processes can get.
public enum HostMemory {
  /// The bytes that the processes of this host may take together: all of its memory, or the limit of
  /// this process's control groups.
  public static var byteCount: Int {
    let pages = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let groups = memoryLimit(
      controlGroups: contents(ofFile: "/proc/self/cgroup") ?? "", read: contents(ofFile:))
    return min(pages, groups ?? pages)
  }

  /// The bytes that this process may map, shared memory included; `Int.max` without a limit.
  public static var processByteCount: Int {
    [RLIMIT_AS, RLIMIT_DATA].reduce(Int.max) { least, resource in
      var limit = rlimit()
      guard getrlimit(Int32(resource.rawValue), &limit) == 0 else { return least }
      return min(least, Int(clamping: limit.rlim_cur))
    }
  }
}

/// Returns the smallest memory limit of a process's control groups and their parents; nil for no limit.
///
/// - Parameters:
///   - controlGroups: The text of `/proc/self/cgroup`.
///   - read: Returns the text of a file, or nil if it cannot be read.
/// - Returns: The limit in bytes.
package func memoryLimit(controlGroups: String, read: (String) -> String?) -> Int? {
  var limits: [Int] = []
  for line in controlGroups.split(separator: "\n") {
    // A number, the controllers (empty in version 2), and the path.
    let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3 else { continue }
    var (folder, file) = ("/sys/fs/cgroup", "memory.max")
    if !parts[1].isEmpty {
      guard parts[1].split(separator: ",").contains("memory") else { continue }
      (folder, file) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    }
    var folders = [folder]
    for name in parts[2].split(separator: "/") {
      folder += "/\(name)"
      folders.append(folder)
    }
    for folder in folders {
      let text = read("\(folder)/\(file)") ?? ""
      if let limit = Int(text.filter { !$0.isWhitespace }) { limits.append(limit) }
    }
  }
  return limits.min()
}
