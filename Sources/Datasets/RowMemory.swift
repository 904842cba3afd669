// Memory for the rows of a split.

internal import Glibc

/// Memory for rows or labels of a file, of this process or shared with others of its host.
public final class RowMemory: @unchecked Sendable {
  /// The memory.
  public let bytes: UnsafeMutableRawBufferPointer
  /// The object whose memory it is; nil if it is this one's.
  public let owner: AnyObject?

  /// Takes memory of this process, of zeros; nil where the system has no more.
  ///
  /// Rows are visited in random order, so the system is asked for large pages: with small ones nearly
  /// every row is a miss in the table of pages.
  ///
  /// - Parameter byteCount: The size.
  public init?(byteCount: Int) {
    let address = mmap(
      nil, max(1, byteCount), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED else { return nil }
    if byteCount >= 2 << 20 { madvise(address, byteCount, MADV_HUGEPAGE) }
    bytes = UnsafeMutableRawBufferPointer(start: address, count: max(1, byteCount))
    owner = nil
  }

  /// Uses memory of another object.
  ///
  /// - Parameters:
  ///   - bytes: The memory, aligned to 8 bytes.
  ///   - owner: Holds the memory at least as long as it lives itself.
  public init(_ bytes: UnsafeMutableRawBufferPointer, owner: AnyObject) {
    self.bytes = bytes
    self.owner = owner
  }

  deinit { if owner == nil { munmap(bytes.baseAddress, bytes.count) } }
}

/// Class numbers in memory, by row.
struct Labels: RandomAccessCollection, @unchecked Sendable {
  private let numbers: UnsafeBufferPointer<Int32>
  private let memory: RowMemory?

  /// No labels.
  init() { (numbers, memory) = (UnsafeBufferPointer(start: nil, count: 0), nil) }

  /// The first numbers of some memory.
  init(_ memory: RowMemory, count: Int) {
    let words = memory.bytes.bindMemory(to: Int32.self)
    numbers = UnsafeBufferPointer(rebasing: words[..<count])
    self.memory = memory
  }

  var startIndex: Int { 0 }
  var endIndex: Int { numbers.count }
  subscript(row: Int) -> Int32 { numbers[row] }
}
